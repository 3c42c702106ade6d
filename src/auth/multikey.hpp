// SPDX-License-Identifier: MIT
#pragma once

#include "auth/signature.hpp"
#include "base/bytes.hpp"

#include <optional>
#include <string_view>

// Public keys in the text forms of DID documents. Pure; nothing on any malformed input.

namespace catbird::auth {

struct EncodedKey {
  Curve curve = Curve::secp256k1;
  Bytes point;  // SEC 1: 33 or 65 bytes; on the curve or not is PublicKey's question
};

/// `z` + base58btc, nothing else: the only multibase AT Protocol uses.
std::optional<Bytes> from_multibase(std::string_view text);

/// Multikey: multicodec 0xe7 0x01 (secp256k1) or 0x80 0x24 (P-256) and a compressed point.
std::optional<EncodedKey> from_multikey(std::string_view multibase);

/// Legacy JWK of kty EC: `x` and `y` as base64url of 32 bytes each.
std::optional<EncodedKey> from_jwk(std::string_view crv, std::string_view x, std::string_view y);

}  // namespace catbird::auth
