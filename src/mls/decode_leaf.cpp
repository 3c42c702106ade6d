// SPDX-License-Identifier: MIT
#include "mls/decode.hpp"

#include <utility>

namespace catbird::mls {
namespace {

constexpr std::uint16_t credential_basic = 1;
constexpr std::uint16_t credential_x509 = 2;
constexpr std::uint8_t node_leaf = 1;
constexpr std::uint8_t node_parent = 2;

/// RFC 9420 §5.3. Its select has no branch for other types; every registered one is a vector, and
/// so do we take an unknown one: whoever uses it in another form is refused, not misread.
void decode(Reader& in, Credential& out) {
  out.type = in.u16("credential.type");
  if (out.type == credential_basic) {
    out.identity = in.opaque("credential.identity");
  } else if (out.type == credential_x509) {
    decode_list(in, out.certificates, "credential.certificates");
  } else {
    out.unknown = in.opaque("credential");
  }
}

void decode(Reader& in, Capabilities& out) {
  decode_list(in, out.versions, "capabilities.versions");
  decode_list(in, out.cipher_suites, "capabilities.cipher_suites");
  decode_list(in, out.extensions, "capabilities.extensions");
  decode_list(in, out.proposals, "capabilities.proposals");
  decode_list(in, out.credentials, "capabilities.credentials");
}

void decode(Reader& in, ParentNode& out) {
  out.encryption_key = in.opaque("parent_node.encryption_key");
  out.parent_hash = in.opaque("parent_node.parent_hash");
  decode_list(in, out.unmerged_leaves, "parent_node.unmerged_leaves");
}

}  // namespace

void decode(Reader& in, std::uint16_t& out) { out = in.u16("list of numbers"); }
void decode(Reader& in, std::uint32_t& out) { out = in.u32("list of numbers"); }
void decode(Reader& in, ByteView& out) { out = in.opaque("list of vectors"); }

void decode(Reader& in, Extension& out) {
  out.type = in.u16("extension.type");
  out.data = in.opaque("extension.data");
}

void decode(Reader& in, LeafNode& out) {
  const auto* start = in.mark();
  out.encryption_key = in.opaque("leaf_node.encryption_key");
  out.signature_key = in.opaque("leaf_node.signature_key");
  decode(in, out.credential);
  decode(in, out.capabilities);
  out.source = LeafSource{in.u8("leaf_node.source")};
  switch (out.source) {
    case LeafSource::key_package:
      out.lifetime.not_before = in.u64("leaf_node.lifetime");
      out.lifetime.not_after = in.u64("leaf_node.lifetime");
      break;
    case LeafSource::update:
      break;
    case LeafSource::commit:
      out.parent_hash = in.opaque("leaf_node.parent_hash");
      break;
    default:
      in.reject("leaf_node.source", "unknown");
  }
  decode_list(in, out.extensions, "leaf_node.extensions");
  out.tbs = in.since(start);
  out.signature = in.opaque("leaf_node.signature");
}

void decode(Reader& in, KeyPackage& out) {
  const auto* start = in.mark();
  out.version = in.u16("key_package.version");
  out.cipher_suite = in.u16("key_package.cipher_suite");
  out.init_key = in.opaque("key_package.init_key");
  decode(in, out.leaf);
  decode_list(in, out.extensions, "key_package.extensions");
  out.tbs = in.since(start);
  out.signature = in.opaque("key_package.signature");
  out.raw = in.since(start);
}

void decode(Reader& in, std::optional<TreeNode>& out) {
  out.reset();
  if (!in.present("ratchet_tree.node")) return;
  const auto type = in.u8("ratchet_tree.node_type");
  if (type == node_leaf) {
    decode(in, out.emplace().emplace<LeafNode>());
  } else if (type == node_parent) {
    decode(in, out.emplace().emplace<ParentNode>());
  } else {
    in.reject("ratchet_tree.node_type", "unknown");
  }
}

void decode(Reader& in, RatchetTree& out) {
  const auto nodes = in.opaque("ratchet_tree");
  std::size_t count = 0;
  bool last_is_blank = true;
  Reader body(nodes);
  while (!body.done()) {
    std::optional<TreeNode> node;
    decode(body, node);
    // RFC 9420 §7.1 and appendix C: leaves at even places, parents at odd ones.
    const bool even = count % 2 == 0;
    if (node && std::holds_alternative<LeafNode>(*node) != even) {
      body.reject("ratchet_tree", "leaf and parent nodes do not alternate");
    }
    last_is_blank = !node;
    ++count;
  }
  if (body.failed()) return in.reject_as(body);
  // §12.4.3.3: "the last node MUST be non-blank"; so there is at least one.
  if (last_is_blank) {
    in.reject("ratchet_tree", "ends with a blank node");
    return;
  }
  out.nodes = List<std::optional<TreeNode>>(nodes, count);
}

}  // namespace catbird::mls
