// SPDX-License-Identifier: MIT
#include "auth/multikey.hpp"

#include "auth/limits.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace catbird::auth {
namespace {

constexpr std::string_view base58_alphabet =
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t coordinate_bytes = 32;
constexpr std::array<std::uint8_t, 2> secp256k1_codec{0xE7, 0x01};
constexpr std::array<std::uint8_t, 2> p256_codec{0x80, 0x24};

/// Quadratic, which is why callers bound the text first.
std::optional<Bytes> from_base58(std::string_view text) {
  Bytes little_endian;
  for (const char c : text) {
    const auto digit = base58_alphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    std::size_t carry = digit;
    for (auto& byte : little_endian) {
      carry += std::size_t{58} * byte;
      byte = static_cast<std::uint8_t>(carry & 0xFF);
      carry >>= 8;
    }
    if (carry != 0) little_endian.push_back(static_cast<std::uint8_t>(carry));
  }
  const std::size_t zeros = std::min(text.find_first_not_of('1'), text.size());
  little_endian.insert(little_endian.end(), zeros, 0);
  std::ranges::reverse(little_endian);
  return little_endian;
}

}  // namespace

std::optional<Bytes> from_multibase(std::string_view text) {
  if (text.size() > multibase_bytes_max || !text.starts_with('z')) return std::nullopt;
  return from_base58(text.substr(1));
}

std::optional<EncodedKey> from_multikey(std::string_view multibase) {
  const auto bytes = from_multibase(multibase);
  if (!bytes || bytes->size() != secp256k1_codec.size() + 1 + coordinate_bytes) return std::nullopt;
  const bool is_secp256k1 = std::ranges::equal(ByteView(*bytes).first(2), secp256k1_codec);
  const bool is_p256 = std::ranges::equal(ByteView(*bytes).first(2), p256_codec);
  if (!is_secp256k1 && !is_p256) return std::nullopt;
  return EncodedKey{is_p256 ? Curve::p256 : Curve::secp256k1,
                    Bytes(bytes->begin() + 2, bytes->end())};
}

std::optional<EncodedKey> from_jwk(std::string_view crv, std::string_view x, std::string_view y) {
  EncodedKey key;
  if (crv == "P-256") {
    key.curve = Curve::p256;
  } else if (crv != "secp256k1") {
    return std::nullopt;
  }
  if (x.size() > multibase_bytes_max || y.size() > multibase_bytes_max) return std::nullopt;
  const auto x_bytes = from_base64url(x);
  const auto y_bytes = from_base64url(y);
  if (!x_bytes || x_bytes->size() != coordinate_bytes) return std::nullopt;
  if (!y_bytes || y_bytes->size() != coordinate_bytes) return std::nullopt;
  key.point.push_back(0x04);  // SEC 1 §2.3.3: uncompressed
  key.point.insert(key.point.end(), x_bytes->begin(), x_bytes->end());
  key.point.insert(key.point.end(), y_bytes->begin(), y_bytes->end());
  return key;
}

}  // namespace catbird::auth
