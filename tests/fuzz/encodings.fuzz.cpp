// SPDX-License-Identifier: MIT
#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/time.hpp"
#include "fuzz/allocation.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using namespace catbird;

namespace {

int value_of(char c, bool url) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == (url ? '-' : '+')) return 62;
  if (c == (url ? '_' : '/')) return 63;
  return -1;
}

/// RFC 4648 one bit at a time, in one alphabet, without padding: slow, and nothing like ours.
std::optional<Bytes> plain_decode(std::string_view text, bool url) {
  Bytes bytes;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (char c : text) {
    const int value = value_of(c, url);
    if (value < 0) return std::nullopt;
    held = (held << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(held >> bits));
  }
  const bool spare = bits >= 6 || (held & ((1U << bits) - 1)) != 0;
  return spare ? std::nullopt : std::optional(bytes);
}

std::string_view without_padding(std::string_view text) {
  if (!text.ends_with('=') || text.size() % 4 != 0) return text;
  text.remove_suffix(text.ends_with("==") ? 2 : 1);
  return text;
}

void check_base64(std::string_view text) {
  const auto strict = from_base64url(text);
  CATBIRD_CHECK(strict == plain_decode(text, true));
  CATBIRD_CHECK(!strict || to_base64url(*strict) == text);

  const auto lax = from_base64(text);
  const auto bare = without_padding(text);
  auto expected = plain_decode(bare, false);
  if (!expected) expected = plain_decode(bare, true);
  CATBIRD_CHECK(lax == expected);
  if (lax) CATBIRD_CHECK(lax->size() == bare.size() * 3 / 4);
}

/// What was accepted is no longer once a character stands in it that is none.
void check_strictness(std::string_view text, std::size_t at) {
  if (!from_base64(text) && !from_hex(text)) return;
  for (const char* foreign : {" ", "\n", "\r\n", "\t", "=", "==", "\xA0", "\x7F"}) {
    auto spoiled = std::string(text);
    spoiled.insert(at % (text.size() + 1), foreign);
    if (*foreign != '=') CATBIRD_CHECK(!from_base64(spoiled));
    CATBIRD_CHECK(!from_base64url(spoiled) && !from_hex(spoiled));
  }
}

void check_bytes(ByteView bytes) {
  const Bytes copy(bytes.begin(), bytes.end());
  CATBIRD_CHECK(from_base64(to_base64(bytes)) == copy);
  CATBIRD_CHECK(from_base64(to_base64url(bytes)) == copy);
  CATBIRD_CHECK(from_base64url(to_base64url(bytes)) == copy);
  CATBIRD_CHECK(from_hex(to_hex(bytes)) == copy);
}

void check_time(std::string_view text) {
  const auto time = from_rfc3339(text);
  if (time) CATBIRD_CHECK(from_rfc3339(to_rfc3339(*time)) == time);
}

}  // namespace

/// The forms in which bytes and times travel: one text, one meaning, and back again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  const auto text = text_of(input);
  {
    const testing::HeapWatch heap;
    (void)from_base64(text);
    (void)from_base64url(text);
    const auto bytes = from_hex(text);
    heap.check_at_most(size);
    if (bytes) CATBIRD_CHECK(from_hex(to_hex(*bytes)) == bytes && bytes->size() * 2 == size);
  }
  check_base64(text);
  check_strictness(text, size == 0 ? 0 : data[0]);
  check_bytes(input);
  check_time(text);
  return 0;
}
