// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "mls/list.hpp"

#include <cstdint>
#include <optional>
#include <variant>

// The public framing of RFC 9420 as values. Every ByteView and List points into the buffer that was
// parsed and lives as long as it: nothing is copied, and parsing allocates nothing. Numbers a peer
// may extend (suites, extension, proposal and credential types) stay plain integers, so unknown and
// GREASE values survive.

namespace catbird::mls {

/// RFC 9420 §6.
enum class WireFormat : std::uint16_t {
  public_message = 1,
  private_message = 2,
  welcome = 3,
  group_info = 4,
  key_package = 5
};
enum class ContentType : std::uint8_t { application = 1, proposal = 2, commit = 3 };
enum class SenderType : std::uint8_t {
  member = 1,
  external = 2,
  new_member_proposal = 3,
  new_member_commit = 4
};
/// RFC 9420 §7.2.
enum class LeafSource : std::uint8_t { key_package = 1, update = 2, commit = 3 };

/// RFC 9420 §17.5: the credential type that carries a bare identity.
inline constexpr std::uint16_t basic_credential = 1;

/// RFC 9420 §5.3. `identity` for basic (1); `certificates` for x509 (2); other types: `unknown`.
struct Credential {
  std::uint16_t type = 0;
  ByteView identity;
  List<ByteView> certificates;
  ByteView unknown;
};
struct Extension {
  std::uint16_t type = 0;
  ByteView data;
};
struct Capabilities {
  List<std::uint16_t> versions, cipher_suites, extensions, proposals, credentials;
};
struct Lifetime {
  std::uint64_t not_before = 0;  // seconds since 1970
  std::uint64_t not_after = 0;
};
/// RFC 9420 §7.2. `tbs` is the encoding before the signature (LeafNodeTBS without group_id and
/// leaf_index, which the verifier appends for update and commit sources).
struct LeafNode {
  ByteView encryption_key, signature_key;
  Credential credential;
  Capabilities capabilities;
  LeafSource source = LeafSource::key_package;
  Lifetime lifetime;     // source key_package
  ByteView parent_hash;  // source commit
  List<Extension> extensions;
  ByteView signature;
  ByteView tbs;
};
/// RFC 9420 §10. `raw` is the bare KeyPackage (what KeyPackageRef hashes), `tbs` KeyPackageTBS.
struct KeyPackage {
  std::uint16_t version = 0, cipher_suite = 0;
  ByteView init_key;
  LeafNode leaf;
  List<Extension> extensions;
  ByteView signature;
  ByteView tbs, raw;
};

struct ParentNode {
  ByteView encryption_key, parent_hash;
  List<std::uint32_t> unmerged_leaves;
};
using TreeNode = std::variant<LeafNode, ParentNode>;
/// RFC 9420 §12.4.3.3: optional<Node> ratchet_tree<V>. Node 2i is leaf i; the last one is not
/// blank.
struct RatchetTree {
  List<std::optional<TreeNode>> nodes;
};

struct HpkeCiphertext {
  ByteView kem_output, ciphertext;
};
struct UpdatePathNode {
  ByteView encryption_key;
  List<HpkeCiphertext> encrypted_path_secret;
};
struct UpdatePath {
  LeafNode leaf;
  List<UpdatePathNode> nodes;
};
/// RFC 9420 §8.4.
struct PreSharedKeyId {
  std::uint8_t psk_type = 0;  // 1 external, 2 resumption
  ByteView psk_id;            // external
  std::uint8_t usage = 0;     // resumption: 1 application, 2 reinit, 3 branch
  ByteView psk_group_id;
  std::uint64_t psk_epoch = 0;
  ByteView nonce;
};

/// RFC 9420 §12.1.
struct AddProposal {
  KeyPackage key_package;
};
struct UpdateProposal {
  LeafNode leaf;
};
struct RemoveProposal {
  std::uint32_t removed = 0;
};
struct PskProposal {
  PreSharedKeyId psk;
};
struct ReInitProposal {
  ByteView group_id;
  std::uint16_t version = 0, cipher_suite = 0;
  List<Extension> extensions;
};
struct ExternalInitProposal {
  ByteView kem_output;
};
struct GroupContextExtensionsProposal {
  List<Extension> extensions;
};
/// draft-ietf-mls-extensions §6.3: proposal type 0x000a, no body; the sender leaves.
struct SelfRemoveProposal {};
using Proposal =
    std::variant<AddProposal, UpdateProposal, RemoveProposal, PskProposal, ReInitProposal,
                 ExternalInitProposal, GroupContextExtensionsProposal, SelfRemoveProposal>;
/// RFC 9420 §12.4: by value, or by reference (the ProposalRef bytes).
using ProposalOrRef = std::variant<Proposal, ByteView>;
struct Commit {
  List<ProposalOrRef> proposals;
  std::optional<UpdatePath> path;
};

struct Sender {
  SenderType type = SenderType::member;
  std::uint32_t index = 0;  // leaf_index (member) or sender_index (external)
};
/// RFC 9420 §6.2 with FramedContent (§6) and FramedContentAuthData (§6.1) in line.
struct PublicMessage {
  ByteView group_id;
  std::uint64_t epoch = 0;
  Sender sender;
  ByteView authenticated_data;
  ContentType content_type = ContentType::application;
  std::variant<ByteView, Proposal, Commit> content;
  ByteView signature;
  ByteView confirmation_tag;  // commit only
  ByteView membership_tag;    // sender member only
  ByteView framed_content;    // the encoded FramedContent, for signatures and hashes
};
/// RFC 9420 §6.3: the header is all a server can read.
struct PrivateMessage {
  ByteView group_id;
  std::uint64_t epoch = 0;
  ContentType content_type = ContentType::application;
  ByteView authenticated_data, encrypted_sender_data, ciphertext;
};
struct EncryptedGroupSecrets {
  ByteView new_member;  // KeyPackageRef
  HpkeCiphertext secrets;
};
/// RFC 9420 §12.4.3.1.
struct Welcome {
  std::uint16_t cipher_suite = 0;
  List<EncryptedGroupSecrets> secrets;
  ByteView encrypted_group_info;
};
/// RFC 9420 §8.1. `raw` is its encoding, which the signatures of members cover (§6.1).
struct GroupContext {
  std::uint16_t version = 0, cipher_suite = 0;
  ByteView group_id;
  std::uint64_t epoch = 0;
  ByteView tree_hash, confirmed_transcript_hash;
  List<Extension> extensions;
  ByteView raw;
};
/// RFC 9420 §12.4.3. `tbs` is GroupInfoTBS.
struct GroupInfo {
  GroupContext context;
  List<Extension> extensions;
  ByteView confirmation_tag;
  std::uint32_t signer = 0;
  ByteView signature;
  ByteView tbs;
};
struct MlsMessage {
  std::uint16_t version = 0;  // 1 = mls10, else refused
  std::variant<PublicMessage, PrivateMessage, Welcome, GroupInfo, KeyPackage> body;
};

}  // namespace catbird::mls
