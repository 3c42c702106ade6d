// SPDX-License-Identifier: MIT
#include "support/mls_writer.hpp"

#include "base/check.hpp"
#include "mls/verify.hpp"

#include <algorithm>
#include <functional>

namespace catbird::testing {
namespace {

constexpr std::uint16_t mls10 = 1;
constexpr std::uint16_t basic_credential = 1;
constexpr std::uint16_t grease = 0x0a0a;
constexpr std::uint16_t last_resort_extension = 0x000a;
constexpr std::uint16_t ratchet_tree_extension = 2;

using Put = std::function<void(Writer&)>;

/// `T items<V>` whose items `put` writes.
void vector(Writer& out, const Put& put) {
  Writer body;
  put(body);
  out.opaque(body.bytes());
}

/// `size` bytes that follow from `text` and look like none of our texts.
Bytes filler(std::string_view text, std::size_t size) {
  Bytes out;
  for (std::uint32_t block = 0; out.size() < size; ++block) {
    const auto hash = mls::sha256(Writer().opaque(view_of(text)).u32(block).bytes());
    out.insert(out.end(), hash.begin(), hash.end());
  }
  out.resize(size);
  return out;
}

/// Has the size and first byte of a key; no one has its private half.
Bytes hpke_key(std::uint16_t suite, std::string_view text) {
  const auto* info = mls::suite_by_id(suite);
  CATBIRD_CHECK(info != nullptr);
  constexpr std::size_t xwing_bytes = 1216;
  auto key = filler(text, info->hpke_key_bytes == 0 ? xwing_bytes : info->hpke_key_bytes);
  if (suite == 2) key[0] = 0x04;  // an uncompressed point
  return key;
}

Writer message_header(mls::WireFormat format) {
  Writer out;
  out.u16(mls10).u16(static_cast<std::uint16_t>(format));
  return out;
}

Bytes as_message(mls::WireFormat format, ByteView body) {
  return message_header(format).raw(body).take();
}

struct LeafSpec {
  std::string_view identity;
  mls::LeafSource source = mls::LeafSource::key_package;
  mls::Lifetime lifetime{};
  GroupAt at{};  // sources other than key_package
  std::uint32_t index = 0;
  std::string salt{};  // makes keys of one identity differ
};

Bytes make_leaf(const Signer& signer, const LeafSpec& spec) {
  Writer out;
  const auto name = std::string(spec.identity) + "/" + spec.salt;
  out.opaque(hpke_key(signer.suite(), "leaf " + name)).opaque(signer.public_key());
  out.u16(basic_credential).opaque(view_of(spec.identity));
  vector(out, [](Writer& list) { list.u16(mls10); });
  vector(out, [&signer](Writer& list) { list.u16(signer.suite()).u16(grease); });
  vector(out, [](Writer& list) { list.u16(last_resort_extension).u16(grease); });
  vector(out, [](Writer& list) { list.u16(grease); });
  vector(out, [](Writer& list) { list.u16(basic_credential).u16(grease); });
  out.u8(static_cast<std::uint8_t>(spec.source));
  if (spec.source == mls::LeafSource::key_package) {
    out.u64(spec.lifetime.not_before).u64(spec.lifetime.not_after);
  } else if (spec.source == mls::LeafSource::commit) {
    out.opaque(filler("parent hash " + name, 32));
  }
  vector(out, [](Writer& list) { list.u16(grease).opaque(view_of("grease")); });

  Writer tbs = out;
  if (spec.source != mls::LeafSource::key_package) {
    tbs.opaque(spec.at.group_id).u32(spec.index);
  }
  return out.opaque(signer.sign("LeafNodeTBS", tbs.bytes())).take();
}

void put_hpke_ciphertext(Writer& out, std::string_view text) {
  out.opaque(filler("kem " + std::string(text), 32)).opaque(filler(text, 48));
}

void put_path(Writer& out, const Signer& signer, const LeafSpec& leaf) {
  out.raw(make_leaf(signer, leaf));
  vector(out, [&signer](Writer& nodes) {
    nodes.opaque(hpke_key(signer.suite(), "path node"));
    vector(nodes, [](Writer& secrets) { put_hpke_ciphertext(secrets, "path secret"); });
  });
}

struct Framing {
  const GroupAt& at;
  mls::Sender sender;
  ByteView authenticated_data;
  mls::ContentType type;
};

/// RFC 9420 §6, §6.1, §6.2 around `content`; the tags are filler.
Bytes make_public_message(const Signer& signer, const Framing& framing, ByteView content) {
  Writer framed;
  framed.opaque(framing.at.group_id).u64(framing.at.epoch);
  framed.u8(static_cast<std::uint8_t>(framing.sender.type));
  const bool member = framing.sender.type == mls::SenderType::member;
  if (member) framed.u32(framing.sender.index);
  framed.opaque(framing.authenticated_data).u8(static_cast<std::uint8_t>(framing.type));
  framed.raw(content);

  auto out = message_header(mls::WireFormat::public_message);
  out.raw(framed.bytes());
  Writer tbs = out;
  tbs.raw(make_group_context(framing.at, signer.suite()));
  const auto signature = signer.sign("FramedContentTBS", tbs.bytes());
  out.opaque(signature);
  if (framing.type == mls::ContentType::commit) {
    out.opaque(filler("confirmation " + to_hex(signature), 32));
  }
  if (member) out.opaque(filler("membership " + to_hex(signature), 32));
  return out.take();
}

void put_inline(Writer& proposals, std::uint16_t type) { proposals.u8(1).u16(type); }

}  // namespace

MadeKeyPackage make_key_package(const Signer& signer, std::string_view identity,
                                const KeyPackageOptions& options) {
  const auto salt = to_hex(signer.public_key()) + "/" + std::to_string(options.serial);
  LeafSpec leaf{.identity = identity};
  leaf.lifetime = {options.not_before, options.not_after};
  leaf.salt = salt;

  Writer out;
  out.u16(mls10).u16(signer.suite());
  out.opaque(hpke_key(signer.suite(), "init " + std::string(identity) + salt));
  out.raw(make_leaf(signer, leaf));
  vector(out, [&options](Writer& list) {
    if (options.last_resort) list.u16(last_resort_extension).opaque({});
  });
  out.opaque(signer.sign("KeyPackageTBS", out.bytes()));

  MadeKeyPackage made;
  made.bare = out.take();
  made.message = as_message(mls::WireFormat::key_package, made.bare);
  auto ref = mls::ref_hash(signer.suite(), "MLS 1.0 KeyPackage Reference", made.bare);
  CATBIRD_CHECK(ref.has_value());
  made.ref = *std::move(ref);
  return made;
}

Bytes make_group_context(const GroupAt& at, std::uint16_t suite) {
  const auto name = to_hex(at.group_id) + "/" + std::to_string(at.epoch);
  Writer out;
  out.u16(mls10).u16(suite).opaque(at.group_id).u64(at.epoch);
  out.opaque(filler("tree " + name, 32)).opaque(filler("transcript " + name, 32));
  return out.opaque({}).take();
}

Bytes make_private_message(const GroupAt& at, mls::ContentType type, ByteView body) {
  auto out = message_header(mls::WireFormat::private_message);
  out.opaque(at.group_id).u64(at.epoch).u8(static_cast<std::uint8_t>(type));
  return out.opaque({}).opaque(filler("sender data", 28)).opaque(body).take();
}

Bytes make_public_commit(const Signer& signer, const CommitSpec& spec) {
  Writer commit;
  vector(commit, [&spec](Writer& proposals) {
    for (const auto& package : spec.adds) {
      put_inline(proposals, 1);
      proposals.raw(package);
    }
    for (const auto index : spec.removes) {
      put_inline(proposals, 3);
      proposals.u32(index);
    }
    for (const auto& reference : spec.references) proposals.u8(2).opaque(reference);
  });
  commit.u8(spec.with_path ? 1 : 0);
  if (spec.with_path) {
    LeafSpec leaf{.identity = spec.identity, .source = mls::LeafSource::commit};
    leaf.at = spec.at;
    leaf.salt = std::to_string(spec.at.epoch);
    leaf.index = spec.sender;
    put_path(commit, signer, leaf);
  }
  const Framing framing{.at = spec.at,
                        .sender = {mls::SenderType::member, spec.sender},
                        .authenticated_data = spec.authenticated_data,
                        .type = mls::ContentType::commit};
  return make_public_message(signer, framing, commit.bytes());
}

Bytes make_external_commit(const Signer& signer, const ExternalCommitSpec& spec) {
  Writer commit;
  vector(commit, [&spec](Writer& proposals) {
    put_inline(proposals, 6);
    proposals.opaque(filler("kem output " + spec.identity, 32));
    if (!spec.removes) return;
    put_inline(proposals, 3);
    proposals.u32(*spec.removes);
  });
  LeafSpec leaf{.identity = spec.identity, .source = mls::LeafSource::commit};
  leaf.at = spec.at;
  leaf.salt = std::to_string(spec.at.epoch);
  leaf.index = spec.leaf_index;
  put_path(commit.u8(1), signer, leaf);
  const Framing framing{.at = spec.at,
                        .sender = {mls::SenderType::new_member_commit, 0},
                        .authenticated_data = spec.authenticated_data,
                        .type = mls::ContentType::commit};
  return make_public_message(signer, framing, commit.bytes());
}

Bytes make_public_proposal(const Signer& signer, const ProposalSpec& spec) {
  const auto proposal = Writer().u16(3).u32(spec.removes).take();
  const Framing framing{.at = spec.at,
                        .sender = {mls::SenderType::member, spec.sender},
                        .authenticated_data = spec.authenticated_data,
                        .type = mls::ContentType::proposal};
  return make_public_message(signer, framing, proposal);
}

Bytes make_welcome(std::uint16_t suite, std::span<const Bytes> refs) {
  auto out = message_header(mls::WireFormat::welcome);
  out.u16(suite);
  vector(out, [refs](Writer& secrets) {
    for (const auto& ref : refs) {
      secrets.opaque(ref);
      put_hpke_ciphertext(secrets, "group secrets " + to_hex(ref));
    }
  });
  return out.opaque(filler("encrypted group info", 200)).take();
}

Bytes make_group_info(const Signer& signer, const GroupInfoSpec& spec) {
  const auto name = to_hex(spec.at.group_id) + "/" + std::to_string(spec.at.epoch);
  Writer info;
  info.raw(make_group_context(spec.at, signer.suite()));
  vector(info, [&spec](Writer& list) {
    if (!spec.ratchet_tree.empty()) list.u16(ratchet_tree_extension).opaque(spec.ratchet_tree);
    list.u16(grease).opaque(view_of("grease"));
  });
  if (spec.confirmation_tag.empty()) {
    info.opaque(filler("confirmation " + name, 32));
  } else {
    info.opaque(view_of(spec.confirmation_tag));
  }
  info.u32(spec.signer_leaf);
  info.opaque(signer.sign("GroupInfoTBS", info.bytes()));
  return as_message(mls::WireFormat::group_info, info.bytes());
}

Bytes make_ratchet_tree(const Signer& signer, std::span<const std::string> identities) {
  CATBIRD_CHECK(!identities.empty());
  Writer tree;
  vector(tree, [&signer, identities](Writer& nodes) {
    for (std::size_t i = 0; i < identities.size(); ++i) {
      if (i == 1) {
        nodes.u8(1).u8(2).opaque(hpke_key(signer.suite(), "parent")).opaque({});
        vector(nodes, [](Writer& unmerged) { unmerged.u32(1); });
      } else if (i > 1) {
        nodes.u8(0);
      }
      LeafSpec leaf{.identity = identities[i]};
      nodes.u8(1).u8(1).raw(make_leaf(signer, leaf));
    }
  });
  return tree.take();
}

Bytes pad(ByteView message) {
  constexpr std::size_t smallest = 512;
  constexpr std::size_t step = 8192;
  auto out = Writer().u32(static_cast<std::uint32_t>(message.size())).raw(message).take();
  std::size_t bucket = smallest;
  while (bucket < out.size() && bucket < step) bucket *= 2;
  if (bucket < out.size()) bucket = (out.size() + step - 1) / step * step;
  out.resize(bucket);
  return out;
}

}  // namespace catbird::testing
