// SPDX-License-Identifier: MIT
#include "mls/decode.hpp"

namespace catbird::mls {
namespace {

constexpr std::uint16_t version_mls10 = 1;

ContentType read_content_type(Reader& in) {
  const ContentType type{in.u8("content_type")};
  if (type < ContentType::application || type > ContentType::commit) {
    in.reject("content_type", "unknown");
  }
  return type;
}

void decode(Reader& in, Sender& out) {
  out.type = SenderType{in.u8("sender.type")};
  switch (out.type) {
    case SenderType::member:
    case SenderType::external:
      out.index = in.u32("sender.index");
      return;
    case SenderType::new_member_proposal:
    case SenderType::new_member_commit:
      return;
  }
  in.reject("sender.type", "unknown");
}

/// RFC 9420 §12.1.8: what a sender outside the group may propose.
bool external_may_propose(SenderType sender, const Proposal& proposal) {
  if (sender == SenderType::new_member_proposal) {
    return std::holds_alternative<AddProposal>(proposal);
  }
  return !std::holds_alternative<UpdateProposal>(proposal) &&
         !std::holds_alternative<ExternalInitProposal>(proposal) &&
         !std::holds_alternative<SelfRemoveProposal>(proposal);
}

/// RFC 9420 §6: only members may send everything.
bool sender_may_send(const PublicMessage& message) {
  switch (message.sender.type) {
    case SenderType::member:
      return true;
    case SenderType::external:
    case SenderType::new_member_proposal:
      return message.content_type == ContentType::proposal &&
             external_may_propose(message.sender.type, std::get<Proposal>(message.content));
    case SenderType::new_member_commit:
      return message.content_type == ContentType::commit;
  }
  return false;
}

void decode_content(Reader& in, PublicMessage& out) {
  switch (out.content_type) {
    case ContentType::application:
      out.content = in.opaque("application_data");
      return;
    case ContentType::proposal:
      return decode(in, out.content.emplace<Proposal>());
    case ContentType::commit:
      return decode(in, out.content.emplace<Commit>());
  }
}

void decode(Reader& in, PublicMessage& out) {
  const auto* start = in.mark();
  out.group_id = in.opaque("group_id");
  out.epoch = in.u64("epoch");
  decode(in, out.sender);
  out.authenticated_data = in.opaque("authenticated_data");
  out.content_type = read_content_type(in);
  if (in.failed()) return;
  decode_content(in, out);
  out.framed_content = in.since(start);
  if (!sender_may_send(out)) in.reject("sender.type", "may not send this content");
  // Neither tag has a presence octet: §6.1 and §6.2 tie them to content and sender.
  out.signature = in.opaque("signature");
  if (out.content_type == ContentType::commit) out.confirmation_tag = in.opaque("confirmation_tag");
  if (out.sender.type == SenderType::member) out.membership_tag = in.opaque("membership_tag");
}

void decode(Reader& in, PrivateMessage& out) {
  out.group_id = in.opaque("group_id");
  out.epoch = in.u64("epoch");
  out.content_type = read_content_type(in);
  out.authenticated_data = in.opaque("authenticated_data");
  out.encrypted_sender_data = in.opaque("encrypted_sender_data");
  out.ciphertext = in.opaque("ciphertext");
}

void decode(Reader& in, GroupContext& out) {
  const auto* start = in.mark();
  out.version = in.u16("group_context.version");
  out.cipher_suite = in.u16("group_context.cipher_suite");
  out.group_id = in.opaque("group_context.group_id");
  out.epoch = in.u64("group_context.epoch");
  out.tree_hash = in.opaque("group_context.tree_hash");
  out.confirmed_transcript_hash = in.opaque("group_context.confirmed_transcript_hash");
  decode_list(in, out.extensions, "group_context.extensions");
  out.raw = in.since(start);
}

}  // namespace

void decode(Reader& in, EncryptedGroupSecrets& out) {
  out.new_member = in.opaque("welcome.new_member");
  decode(in, out.secrets);
}

void decode(Reader& in, Welcome& out) {
  out.cipher_suite = in.u16("welcome.cipher_suite");
  decode_list(in, out.secrets, "welcome.secrets");
  out.encrypted_group_info = in.opaque("welcome.encrypted_group_info");
}

void decode(Reader& in, GroupInfo& out) {
  const auto* start = in.mark();
  decode(in, out.context);
  decode_list(in, out.extensions, "group_info.extensions");
  out.confirmation_tag = in.opaque("group_info.confirmation_tag");
  out.signer = in.u32("group_info.signer");
  out.tbs = in.since(start);
  out.signature = in.opaque("group_info.signature");
}

void decode(Reader& in, MlsMessage& out) {
  out.version = in.u16("version");
  if (out.version != version_mls10) in.reject("version", "not mls10");
  switch (WireFormat{in.u16("wire_format")}) {
    case WireFormat::public_message:
      return decode(in, out.body.emplace<PublicMessage>());
    case WireFormat::private_message:
      return decode(in, out.body.emplace<PrivateMessage>());
    case WireFormat::welcome:
      return decode(in, out.body.emplace<Welcome>());
    case WireFormat::group_info:
      return decode(in, out.body.emplace<GroupInfo>());
    case WireFormat::key_package:
      return decode(in, out.body.emplace<KeyPackage>());
  }
  in.reject("wire_format", "unknown");
}

}  // namespace catbird::mls
