// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "mls/types.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace catbird::mls {

/// Suites this build can check: signature scheme and hash of RFC 9420 §17.1, plus 0x004D
/// (MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519, whose signature is Ed25519; DECISIONS 14).
struct SuiteInfo {
  std::uint16_t id = 0;
  std::string_view name;  // e.g. "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"
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

/// What RFC 9420 §10.1 lets a server check of an uploaded package: version, known suite, leaf
/// source, lifetime order (not the clock: core does), suite within the leaf's capabilities,
/// init_key != encryption_key, leaf and package signatures, no duplicate extension types.
/// Fails with invalid_key_package or invalid_cipher_suite.
Result<void> check_key_package(const KeyPackage& package);
/// Last-resort marker (mls-extensions §6.4): extension 0x000a on the package.
bool is_last_resort(const KeyPackage& package);

}  // namespace catbird::mls
