// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace catbird {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// Immutable bytes shared by a write set, its reply and every subscriber: a message body is
/// copied into the process once, however many readers it has.
using Blob = std::shared_ptr<const Bytes>;

inline Blob make_blob(Bytes bytes) { return std::make_shared<const Bytes>(std::move(bytes)); }

inline ByteView view_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);
/// Accepts both cases; nothing for an odd length or a foreign character.
std::optional<Bytes> from_hex(std::string_view text);

/// RFC 4648 §4: standard alphabet, padded, no line breaks: the only form we ever send.
std::string to_base64(ByteView bytes);
/// Accepts the standard and the URL-safe alphabet (not mixed), padded or not; nothing for white
/// space, wrong padding, or non-zero trailing bits. Used for every byte field of the API.
std::optional<Bytes> from_base64(std::string_view text);
/// RFC 7515 base64url without padding, strictly: what a JWT segment must be.
std::optional<Bytes> from_base64url(std::string_view text);
std::string to_base64url(ByteView bytes);

}  // namespace catbird
