// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <memory>
#include <string_view>

namespace catbird::testing {

/// A signature key pair of a client, for suites 1 and 3 and 0x004D (Ed25519) and 2 (P-256). Copies
/// share the key; signing is safe from several threads.
class Signer {
 public:
  /// Ed25519 keys follow from `seed`, so that a run repeats; P-256 keys are fresh each time.
  Signer(std::uint16_t suite, std::string_view seed);

  std::uint16_t suite() const { return suite_; }
  const Bytes& public_key() const { return public_key_; }
  /// RFC 9420 §5.1.2 SignWithLabel.
  Bytes sign(std::string_view label, ByteView content) const;

 private:
  std::uint16_t suite_;
  std::shared_ptr<void> key_;  // EVP_PKEY, immutable once made: sharing it is what OpenSSL does too
  Bytes public_key_;
};

}  // namespace catbird::testing
