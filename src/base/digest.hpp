// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace catbird {

inline constexpr std::size_t sha256_bytes = 32;
using Sha256 = std::array<std::uint8_t, sha256_bytes>;

/// SHA-256 of the parts, one behind the other. The algorithm is looked up once per process and its
/// state is kept per thread: both cost more than hashing a token.
Sha256 sha256(std::initializer_list<ByteView> parts);

/// HMAC-SHA-256 (RFC 2104) of the parts, one behind the other. Callable from any thread.
class HmacSha256 {
 public:
  explicit HmacSha256(ByteView key);
  Sha256 of(std::initializer_list<ByteView> parts) const;

 private:
  static constexpr std::size_t block_bytes = 64;
  using Block = std::array<std::uint8_t, block_bytes>;
  Block inner_{};
  Block outer_{};
};

}  // namespace catbird
