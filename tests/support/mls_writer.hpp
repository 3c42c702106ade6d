// SPDX-License-Identifier: MIT
#pragma once

#include "mls/types.hpp"
#include "support/mls_encode.hpp"
#include "support/mls_signer.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Makes MLS material that is right in its framing and its signatures, and meaningless beneath:
// ciphertexts, hashes and HPKE keys are filler that follows from the arguments. For tests, the fuzz
// corpus and the load generator. Everything is a whole MLSMessage where nothing else is said.

namespace catbird::testing {

struct KeyPackageOptions {
  std::uint64_t not_before = 0;
  std::uint64_t not_after = std::numeric_limits<std::uint64_t>::max();
  bool last_resort = false;
  /// Packages of one signer and identity differ by this number, and so do their keys.
  std::uint64_t serial = 0;
};
struct MadeKeyPackage {
  Bytes bare;
  Bytes message;
  Bytes ref;  // KeyPackageRef
};
/// Passes mls::check_key_package. The suite is the signer's; `identity` fills a basic credential.
MadeKeyPackage make_key_package(const Signer& signer, std::string_view identity,
                                const KeyPackageOptions& options = {});

/// A group at one epoch, as the sender of a message names it.
struct GroupAt {
  Bytes group_id{};
  std::uint64_t epoch = 0;
};
/// The GroupContext (not an MLSMessage) that all makers below sign for this group and epoch.
Bytes make_group_context(const GroupAt& at, std::uint16_t suite);

/// `body` stands in for the ciphertext.
Bytes make_private_message(const GroupAt& at, mls::ContentType type, ByteView body);

struct CommitSpec {
  GroupAt at{};
  std::uint32_t sender = 0;
  std::vector<Bytes> adds{};  // bare KeyPackages
  std::vector<std::uint32_t> removes{};
  std::vector<Bytes> references{};  // ProposalRefs
  bool with_path = true;
  std::string identity = "member";  // of the path's leaf
  Bytes authenticated_data{};       // anything that makes two commits differ
};
/// A member's commit as PublicMessage, signed by `signer`.
Bytes make_public_commit(const Signer& signer, const CommitSpec& spec);

struct ExternalCommitSpec {
  GroupAt at{};
  std::string identity{};                  // the joiner's credential
  std::uint32_t leaf_index = 0;            // where the joiner's leaf will be
  std::optional<std::uint32_t> removes{};  // its old leaf
  Bytes authenticated_data{};
};
/// RFC 9420 §12.4.3.2: new_member_commit with ExternalInit and path; both signatures verify.
Bytes make_external_commit(const Signer& signer, const ExternalCommitSpec& spec);

struct ProposalSpec {
  GroupAt at{};
  std::uint32_t sender = 0;
  std::uint32_t removes = 0;
  Bytes authenticated_data{};
};
/// A member's Remove proposal as PublicMessage.
Bytes make_public_proposal(const Signer& signer, const ProposalSpec& spec);

/// `refs`: the KeyPackageRefs of those it welcomes.
Bytes make_welcome(std::uint16_t suite, std::span<const Bytes> refs);

struct GroupInfoSpec {
  GroupAt at{};
  std::uint32_t signer_leaf = 0;
  Bytes ratchet_tree{};               // extension 2, unless empty
  std::string confirmation_tag = "";  // filler derived from the group if empty
};
/// Its signature verifies under `signer`; its context is make_group_context's.
Bytes make_group_info(const Signer& signer, const GroupInfoSpec& spec);

/// A ratchet tree (not an MLSMessage): one leaf per identity, all of `signer`; parents are blank
/// but the first, which has one unmerged leaf. Precondition: not empty.
Bytes make_ratchet_tree(const Signer& signer, std::span<const std::string> identities);

/// The frame clients send: u32 length, `message`, zeros up to 512, 1024, 2048, 4096, 8192 or a
/// multiple of 8192.
Bytes pad(ByteView message);

}  // namespace catbird::testing
