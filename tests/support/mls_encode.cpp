// SPDX-License-Identifier: MIT
#include "support/mls_encode.hpp"

#include "base/check.hpp"

#include <utility>
#include <variant>

namespace catbird::testing {
namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};

// One `put` for each structure. A template finds those declared after it through its arguments'
// namespaces only, hence the declarations.
void put(Writer& out, std::uint16_t value) { out.u16(value); }
void put(Writer& out, std::uint32_t value) { out.u32(value); }
void put(Writer& out, ByteView value) { out.opaque(value); }
void put(Writer& out, const mls::Extension& value);
void put(Writer& out, const mls::LeafNode& value);
void put(Writer& out, const std::optional<mls::TreeNode>& value);
void put(Writer& out, const mls::HpkeCiphertext& value);
void put(Writer& out, const mls::UpdatePathNode& value);
void put(Writer& out, const mls::Proposal& value);
void put(Writer& out, const mls::ProposalOrRef& value);
void put(Writer& out, const mls::EncryptedGroupSecrets& value);

template <class T>
void put_list(Writer& out, const mls::List<T>& items) {
  Writer body;
  std::size_t count = 0;
  for (const auto& item : items) {
    put(body, item);
    ++count;
  }
  CATBIRD_CHECK(count == items.size());
  out.opaque(body.bytes());
}

void put(Writer& out, const mls::Extension& value) { out.u16(value.type).opaque(value.data); }

void put(Writer& out, const mls::Credential& value) {
  out.u16(value.type);
  if (value.type == 1) {
    out.opaque(value.identity);
  } else if (value.type == 2) {
    put_list(out, value.certificates);
  } else {
    out.opaque(value.unknown);
  }
}

void put(Writer& out, const mls::LeafNode& value) {
  out.opaque(value.encryption_key).opaque(value.signature_key);
  put(out, value.credential);
  put_list(out, value.capabilities.versions);
  put_list(out, value.capabilities.cipher_suites);
  put_list(out, value.capabilities.extensions);
  put_list(out, value.capabilities.proposals);
  put_list(out, value.capabilities.credentials);
  out.u8(static_cast<std::uint8_t>(value.source));
  if (value.source == mls::LeafSource::key_package) {
    out.u64(value.lifetime.not_before).u64(value.lifetime.not_after);
  } else if (value.source == mls::LeafSource::commit) {
    out.opaque(value.parent_hash);
  }
  put_list(out, value.extensions);
  out.opaque(value.signature);
}

void put(Writer& out, const mls::KeyPackage& value) {
  out.u16(value.version).u16(value.cipher_suite).opaque(value.init_key);
  put(out, value.leaf);
  put_list(out, value.extensions);
  out.opaque(value.signature);
}

void put(Writer& out, const std::optional<mls::TreeNode>& value) {
  out.u8(value ? 1 : 0);
  if (!value) return;
  if (const auto* leaf = std::get_if<mls::LeafNode>(&*value)) {
    out.u8(1);
    return put(out, *leaf);
  }
  const auto& parent = std::get<mls::ParentNode>(*value);
  out.u8(2).opaque(parent.encryption_key).opaque(parent.parent_hash);
  put_list(out, parent.unmerged_leaves);
}

void put(Writer& out, const mls::HpkeCiphertext& value) {
  out.opaque(value.kem_output).opaque(value.ciphertext);
}

void put(Writer& out, const mls::UpdatePathNode& value) {
  out.opaque(value.encryption_key);
  put_list(out, value.encrypted_path_secret);
}

void put(Writer& out, const mls::PreSharedKeyId& value) {
  out.u8(value.psk_type);
  if (value.psk_type == 1) {
    out.opaque(value.psk_id);
  } else {
    out.u8(value.usage).opaque(value.psk_group_id).u64(value.psk_epoch);
  }
  out.opaque(value.nonce);
}

void put(Writer& out, const mls::Proposal& value) {
  std::visit(Overload{
                 [&out](const mls::AddProposal& p) { put(out.u16(1), p.key_package); },
                 [&out](const mls::UpdateProposal& p) { put(out.u16(2), p.leaf); },
                 [&out](const mls::RemoveProposal& p) { out.u16(3).u32(p.removed); },
                 [&out](const mls::PskProposal& p) { put(out.u16(4), p.psk); },
                 [&out](const mls::ReInitProposal& p) {
                   out.u16(5).opaque(p.group_id).u16(p.version).u16(p.cipher_suite);
                   put_list(out, p.extensions);
                 },
                 [&out](const mls::ExternalInitProposal& p) { out.u16(6).opaque(p.kem_output); },
                 [&out](const mls::GroupContextExtensionsProposal& p) {
                   put_list(out.u16(7), p.extensions);
                 },
                 [&out](const mls::SelfRemoveProposal&) { out.u16(0x000a); },
             },
             value);
}

void put(Writer& out, const mls::ProposalOrRef& value) {
  if (const auto* proposal = std::get_if<mls::Proposal>(&value)) return put(out.u8(1), *proposal);
  out.u8(2).opaque(std::get<ByteView>(value));
}

void put(Writer& out, const mls::Commit& value) {
  put_list(out, value.proposals);
  out.u8(value.path ? 1 : 0);
  if (!value.path) return;
  put(out, value.path->leaf);
  put_list(out, value.path->nodes);
}

void put(Writer& out, const mls::PublicMessage& value) {
  out.opaque(value.group_id).u64(value.epoch).u8(static_cast<std::uint8_t>(value.sender.type));
  const bool member = value.sender.type == mls::SenderType::member;
  if (member || value.sender.type == mls::SenderType::external) out.u32(value.sender.index);
  out.opaque(value.authenticated_data).u8(static_cast<std::uint8_t>(value.content_type));
  std::visit([&out](const auto& content) { put(out, content); }, value.content);
  out.opaque(value.signature);
  if (value.content_type == mls::ContentType::commit) out.opaque(value.confirmation_tag);
  if (member) out.opaque(value.membership_tag);
}

void put(Writer& out, const mls::PrivateMessage& value) {
  out.opaque(value.group_id).u64(value.epoch).u8(static_cast<std::uint8_t>(value.content_type));
  out.opaque(value.authenticated_data).opaque(value.encrypted_sender_data).opaque(value.ciphertext);
}

void put(Writer& out, const mls::EncryptedGroupSecrets& value) {
  out.opaque(value.new_member);
  put(out, value.secrets);
}

void put(Writer& out, const mls::Welcome& value) {
  out.u16(value.cipher_suite);
  put_list(out, value.secrets);
  out.opaque(value.encrypted_group_info);
}

void put(Writer& out, const mls::GroupInfo& value) {
  const auto& context = value.context;
  out.u16(context.version).u16(context.cipher_suite).opaque(context.group_id).u64(context.epoch);
  out.opaque(context.tree_hash).opaque(context.confirmed_transcript_hash);
  put_list(out, context.extensions);
  put_list(out, value.extensions);
  out.opaque(value.confirmation_tag).u32(value.signer).opaque(value.signature);
}

template <class T>
Bytes encoded(const T& value) {
  Writer out;
  put(out, value);
  return out.take();
}

}  // namespace

Writer& Writer::length(std::size_t value) {
  CATBIRD_CHECK(value < (std::size_t{1} << 30U));
  if (value < 0x40U) return number(value, 1);
  if (value < 0x4000U) return number(0x4000U | value, 2);
  return number(0x80000000U | value, 4);
}

Writer& Writer::raw(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

Writer& Writer::number(std::uint64_t value, unsigned bytes) {
  while (bytes-- > 0) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * bytes)));
  return *this;
}

Bytes encode(const mls::Extension& value) { return encoded(value); }
Bytes encode(const mls::LeafNode& value) { return encoded(value); }
Bytes encode(const mls::KeyPackage& value) { return encoded(value); }
Bytes encode(const mls::Proposal& value) { return encoded(value); }
Bytes encode(const mls::Commit& value) { return encoded(value); }
Bytes encode(const mls::Welcome& value) { return encoded(value); }
Bytes encode(const mls::GroupInfo& value) { return encoded(value); }

Bytes encode(const mls::RatchetTree& value) {
  Writer out;
  put_list(out, value.nodes);
  return out.take();
}

Bytes encode(const mls::MlsMessage& value) {
  Writer out;
  const auto format = std::visit(
      Overload{[](const mls::PublicMessage&) { return mls::WireFormat::public_message; },
               [](const mls::PrivateMessage&) { return mls::WireFormat::private_message; },
               [](const mls::Welcome&) { return mls::WireFormat::welcome; },
               [](const mls::GroupInfo&) { return mls::WireFormat::group_info; },
               [](const mls::KeyPackage&) { return mls::WireFormat::key_package; }},
      value.body);
  out.u16(value.version).u16(static_cast<std::uint16_t>(format));
  std::visit([&out](const auto& body) { put(out, body); }, value.body);
  return out.take();
}

}  // namespace catbird::testing
