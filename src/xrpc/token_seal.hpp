// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "core/types.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace catbird::xrpc {

/// Encrypts push tokens for the store (RFC 9750 A32: a stolen database wakes nobody). AES-256-GCM
/// under a key that is derived from CATBIRD_SECRET_FILE; bound to the device, so that a sealed
/// token moved to another row does not open.
class TokenSeal {
 public:
  explicit TokenSeal(const Bytes& secret);

  /// Nonce, ciphertext, tag.
  Bytes seal(const core::Caller& device, std::string_view token) const;
  /// Nothing if it was not sealed by this key for this device.
  std::optional<std::string> open(const core::Caller& device, ByteView sealed) const;

 private:
  Bytes key_;
};

}  // namespace catbird::xrpc
