// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <memory>
#include <string>
#include <string_view>

// What a caller's own server does: keys, DID documents and service tokens, made for tests.

namespace catbird::test {

/// A fresh key pair of one of the two curves of AT Protocol.
class Signer {
 public:
  static std::unique_ptr<Signer> es256k();
  static std::unique_ptr<Signer> es256();
  virtual ~Signer() = default;

  virtual std::string alg() const = 0;
  virtual Bytes order() const = 0;               // of the curve, 32 bytes
  virtual Bytes uncompressed_point() const = 0;  // SEC 1, 65 bytes
  /// ECDSA with SHA-256, r and s of 32 bytes each, low s.
  virtual Bytes sign(std::string_view text) const = 0;

  Bytes compressed_point() const;
  std::string multikey() const;
  std::string jwk() const;
};

std::string to_multibase(ByteView bytes);

/// The twin of a signature that every lax verifier takes as well: s becomes n - s.
Bytes with_high_s(Bytes signature, ByteView order);

/// A document with this one verification method, as did:plc directories serve it.
std::string did_document(std::string_view did, std::string_view multikey);

/// The three segments from their texts, signed by `signer`.
std::string sign_token(const Signer& signer, std::string_view header, std::string_view claims);

}  // namespace catbird::test
