// SPDX-License-Identifier: MIT
#include "mls/decode.hpp"

namespace catbird::mls {
namespace {

/// RFC 9420 §17.4, and self_remove of draft-ietf-mls-extensions §6.3.
enum class ProposalType : std::uint16_t {
  add = 1,
  update = 2,
  remove = 3,
  psk = 4,
  reinit = 5,
  external_init = 6,
  group_context_extensions = 7,
  self_remove = 0x000a
};
constexpr std::uint8_t psk_external = 1;
constexpr std::uint8_t psk_resumption = 2;
constexpr std::uint8_t psk_usage_branch = 3;
constexpr std::uint8_t proposal_by_value = 1;
constexpr std::uint8_t proposal_by_reference = 2;

void decode(Reader& in, PreSharedKeyId& out) {
  out.psk_type = in.u8("psk.type");
  if (out.psk_type == psk_external) {
    out.psk_id = in.opaque("psk.id");
  } else if (out.psk_type == psk_resumption) {
    out.usage = in.u8("psk.usage");
    if (out.usage == 0 || out.usage > psk_usage_branch) in.reject("psk.usage", "unknown");
    out.psk_group_id = in.opaque("psk.group_id");
    out.psk_epoch = in.u64("psk.epoch");
  } else {
    in.reject("psk.type", "unknown");
  }
  out.nonce = in.opaque("psk.nonce");
}

void decode(Reader& in, ReInitProposal& out) {
  out.group_id = in.opaque("reinit.group_id");
  out.version = in.u16("reinit.version");
  out.cipher_suite = in.u16("reinit.cipher_suite");
  decode_list(in, out.extensions, "reinit.extensions");
}

void decode(Reader& in, UpdatePath& out) {
  decode(in, out.leaf);
  decode_list(in, out.nodes, "update_path.nodes");
}

}  // namespace

void decode(Reader& in, HpkeCiphertext& out) {
  out.kem_output = in.opaque("hpke.kem_output");
  out.ciphertext = in.opaque("hpke.ciphertext");
}

void decode(Reader& in, UpdatePathNode& out) {
  out.encryption_key = in.opaque("update_path.encryption_key");
  decode_list(in, out.encrypted_path_secret, "update_path.encrypted_path_secret");
}

void decode(Reader& in, Proposal& out) {
  switch (ProposalType{in.u16("proposal.type")}) {
    case ProposalType::add:
      return decode(in, out.emplace<AddProposal>().key_package);
    case ProposalType::update:
      return decode(in, out.emplace<UpdateProposal>().leaf);
    case ProposalType::remove:
      out = RemoveProposal{in.u32("remove.removed")};
      return;
    case ProposalType::psk:
      return decode(in, out.emplace<PskProposal>().psk);
    case ProposalType::reinit:
      return decode(in, out.emplace<ReInitProposal>());
    case ProposalType::external_init:
      out = ExternalInitProposal{in.opaque("external_init.kem_output")};
      return;
    case ProposalType::group_context_extensions:
      return decode_list(in, out.emplace<GroupContextExtensionsProposal>().extensions,
                         "group_context_extensions");
    case ProposalType::self_remove:
      out = SelfRemoveProposal{};
      return;
  }
  // An unknown type, GREASE included, has no length by which to skip it.
  in.reject("proposal.type", "unknown");
}

void decode(Reader& in, ProposalOrRef& out) {
  const auto kind = in.u8("commit.proposal");
  if (kind == proposal_by_value) {
    decode(in, out.emplace<Proposal>());
  } else if (kind == proposal_by_reference) {
    out = in.opaque("commit.proposal_ref");
  } else {
    in.reject("commit.proposal", "neither a proposal nor a reference");
  }
}

void decode(Reader& in, Commit& out) {
  decode_list(in, out.proposals, "commit.proposals");
  out.path.reset();
  if (in.present("commit.path")) decode(in, out.path.emplace());
}

}  // namespace catbird::mls
