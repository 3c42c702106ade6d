// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <memory>
#include <string_view>

// Signatures over tokens. Pure computation; any thread.

namespace catbird::auth {

enum class Curve { secp256k1, p256 };

/// A checked point on its curve, prepared once and used by many threads at the same time.
class PublicKey {
 public:
  /// `point`: SEC 1, 33 bytes (02, 03) or 65 bytes (04). Null if it is no point of the curve.
  static std::shared_ptr<const PublicKey> from_point(Curve curve, ByteView point);

  virtual ~PublicKey() = default;
  virtual Curve curve() const = 0;
  /// ECDSA with SHA-256; `signature` is r and s, 32 bytes each (RFC 7518 §3.4). A high s is
  /// refused (AT Protocol, cryptography): else anyone could make a twin of a seen token.
  virtual bool verify(std::string_view message, ByteView signature) const = 0;
};

/// Compares in time that depends on the lengths only.
bool equal_in_constant_time(ByteView a, ByteView b);

}  // namespace catbird::auth
