// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// RFC 7515 compact serialisation and RFC 7519 claims, as strictly as they can be read. Pure.

namespace catbird::auth {

enum class Alg { es256k, es256, hs256 };

/// What we use of a token. Nothing in it is verified yet.
struct Token {
  Alg alg = Alg::es256k;
  std::string iss;
  std::string aud;
  std::string lxm;
  std::string jti;
  std::int64_t exp = 0;  // seconds since 1970
  std::optional<std::int64_t> iat;
  std::optional<std::int64_t> nbf;
  std::string_view signed_text;  // header.payload, inside the text that was parsed
  Bytes signature;
};

/// Exactly three base64url segments, two JSON objects without duplicate keys. `kid`, `jku`, `x5u`
/// and `jwk` are never looked at; a `crit` header is refused (RFC 7515 §4.1.11: we know none).
/// Fails with unauthenticated. `text` must outlive the token.
Result<Token> parse_token(std::string_view text);

}  // namespace catbird::auth
