// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "mls/types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace catbird::mls {

/// Suites this build can check: signature scheme and hash of RFC 9420 §17.1, plus 0x004D
/// (MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519, whose signature is Ed25519; DECISIONS 14).
struct SuiteInfo {
  std::uint16_t id = 0;
  std::string_view name;           // e.g. "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"
  std::size_t hpke_key_bytes = 0;  // of init_key and encryption_key; 0: any
};
/// Nothing for an unknown suite.
const SuiteInfo* suite_by_id(std::uint16_t id);
const SuiteInfo* suite_by_name(std::string_view name);

/// SHA-256.
std::array<std::uint8_t, 32> sha256(ByteView data);
/// RFC 9420 §5.2 RefHash with the suite's hash. `value` is the encoded object.
Result<Bytes> ref_hash(std::uint16_t suite, std::string_view label, ByteView value);
/// KeyPackageRef (§5.2) of a parsed package ("MLS 1.0 KeyPackage Reference").
Result<Bytes> key_package_ref(const KeyPackage& package);
/// RFC 9420 §5.1.2 VerifyWithLabel: true iff `signature` over SignContent(label, content) verifies.
/// Ed25519, Ed448, ECDSA P-256, P-384, P-521 (DER). Unknown suite or malformed key: false.
bool verify_with_label(std::uint16_t suite, ByteView public_key, std::string_view label,
                       ByteView content, ByteView signature);

/// The signature of a leaf whose source is update or commit: LeafNodeTBS (RFC 9420 §7.2) ends with
/// the group and the leaf's index there. For source key_package both are ignored.
bool verify_leaf(std::uint16_t suite, const LeafNode& leaf, ByteView group_id,
                 std::uint32_t leaf_index);
/// The signature of a PublicMessage under the key that §6.1 names for its sender type (P5).
/// `group_context`: GroupContext::raw of the message's epoch; read for member and new_member_commit
/// senders only.
bool verify_public_message(std::uint16_t suite, const PublicMessage& message, ByteView signer_key,
                           ByteView group_context);
/// The signature of a GroupInfo (§12.4.3) under the signature key of leaf `info.signer`.
bool verify_group_info(const GroupInfo& info, ByteView signer_key);

/// What RFC 9420 §7.3 and §10.1 let a server check of an uploaded package: version, known suite,
/// leaf source, lifetime order (not the clock: core does), the leaf's own version, suite,
/// credential and extension types within its capabilities, HPKE keys of the suite's size and
/// different from each other, leaf and package signatures, no duplicate extension types. Fails with
/// invalid_key_package or invalid_cipher_suite.
Result<void> check_key_package(const KeyPackage& package);
/// Whether two extensions of `list` have one type (§13.4: such a list is refused).
bool has_duplicate_types(const List<Extension>& list);
/// Last-resort marker (mls-extensions §6.4) on the package: extension 0x000a, or in the form of the
/// later drafts component 4 with empty data inside app_data_dictionary (extension 6).
bool is_last_resort(const KeyPackage& package);

}  // namespace catbird::mls
