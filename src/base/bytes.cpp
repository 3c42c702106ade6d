// SPDX-License-Identifier: MIT
#include "base/bytes.hpp"

#include <array>
#include <cstddef>

namespace catbird {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view standard_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// A decoded quartet is 24 bits; what a character tells us besides its value sits above them, so
// that a whole body is decoded without a branch and judged once at its end.
constexpr std::uint32_t saw_standard = 1U << 24;
constexpr std::uint32_t saw_url = 1U << 25;
constexpr std::uint32_t saw_foreign = 1U << 26;

using DecodeTable = std::array<std::uint32_t, 256>;

constexpr DecodeTable decode_table(unsigned shift) {
  DecodeTable table{};
  table.fill(saw_foreign);
  for (std::size_t i = 0; i < standard_alphabet.size(); ++i) {
    const auto value = static_cast<std::uint32_t>(i) << shift;
    const bool special = standard_alphabet[i] != url_alphabet[i];
    table[static_cast<unsigned char>(standard_alphabet[i])] = value | (special ? saw_standard : 0);
    if (special) table[static_cast<unsigned char>(url_alphabet[i])] = value | saw_url;
  }
  return table;
}

constexpr std::array<DecodeTable, 4> decode_tables{decode_table(18), decode_table(12),
                                                   decode_table(6), decode_table(0)};

std::string encode(ByteView bytes, std::string_view alphabet, bool padded) {
  const std::size_t whole = bytes.size() / 3;
  const std::size_t rest = bytes.size() % 3;
  const std::size_t tail = rest == 0 ? 0 : (padded ? 4 : rest + 1);
  const std::size_t size = whole * 4 + tail;
  std::string text;
  // The size is ours: libstdc++ 12 hands the new capacity to the callback instead.
  text.resize_and_overwrite(size, [&](char* out, std::size_t) {
    const std::uint8_t* in = bytes.data();
    for (std::size_t i = 0; i < whole; ++i, in += 3, out += 4) {
      const std::uint32_t group =
          static_cast<std::uint32_t>(in[0]) << 16 | static_cast<std::uint32_t>(in[1]) << 8 | in[2];
      out[0] = alphabet[group >> 18];
      out[1] = alphabet[group >> 12 & 63];
      out[2] = alphabet[group >> 6 & 63];
      out[3] = alphabet[group & 63];
    }
    if (rest == 0) return size;
    const std::uint32_t group = static_cast<std::uint32_t>(in[0]) << 16 |
                                (rest == 2 ? static_cast<std::uint32_t>(in[1]) << 8 : 0U);
    out[0] = alphabet[group >> 18];
    out[1] = alphabet[group >> 12 & 63];
    if (rest == 2) out[2] = alphabet[group >> 6 & 63];
    if (padded && rest == 1) out[2] = '=';
    if (padded) out[3] = '=';
    return size;
  });
  return text;
}

/// `text` has no padding left; characters that set one of `refused` make it nothing.
std::optional<Bytes> decode(std::string_view text, std::uint32_t refused) {
  const std::size_t whole = text.size() / 4;
  const std::size_t rest = text.size() % 4;
  if (rest == 1) return std::nullopt;
  Bytes bytes(whole * 3 + (rest == 0 ? 0 : rest - 1));
  const auto* in = reinterpret_cast<const unsigned char*>(text.data());
  std::uint8_t* out = bytes.data();
  std::uint32_t seen = 0;
  for (std::size_t i = 0; i < whole; ++i, in += 4, out += 3) {
    const std::uint32_t group = decode_tables[0][in[0]] | decode_tables[1][in[1]] |
                                decode_tables[2][in[2]] | decode_tables[3][in[3]];
    seen |= group;
    out[0] = static_cast<std::uint8_t>(group >> 16);
    out[1] = static_cast<std::uint8_t>(group >> 8);
    out[2] = static_cast<std::uint8_t>(group);
  }
  if (rest != 0) {
    std::uint32_t group = decode_tables[0][in[0]] | decode_tables[1][in[1]];
    if (rest == 3) group |= decode_tables[2][in[2]];
    seen |= group;
    out[0] = static_cast<std::uint8_t>(group >> 16);
    if (rest == 3) out[1] = static_cast<std::uint8_t>(group >> 8);
    // Two texts must never mean the same bytes: what the last character carries beyond them is 0.
    const std::uint32_t unused = rest == 2 ? 0xFFFFU : 0xFFU;
    if ((group & unused) != 0) return std::nullopt;
  }
  if ((seen & refused) != 0) return std::nullopt;
  if ((seen & saw_standard) != 0 && (seen & saw_url) != 0) return std::nullopt;
  return bytes;
}

constexpr std::uint8_t not_hex = 0xFF;

std::uint8_t hex_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return not_hex;
}

}  // namespace

std::string to_hex(ByteView bytes) {
  std::string text(bytes.size() * 2, '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = hex_digits[bytes[i] >> 4];
    text[2 * i + 1] = hex_digits[bytes[i] & 15];
  }
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::uint8_t high = hex_value(text[2 * i]);
    const std::uint8_t low = hex_value(text[2 * i + 1]);
    if (high == not_hex || low == not_hex) return std::nullopt;
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return bytes;
}

std::string to_base64(ByteView bytes) { return encode(bytes, standard_alphabet, true); }

std::string to_base64url(ByteView bytes) { return encode(bytes, url_alphabet, false); }

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.ends_with('=')) {
    if (text.size() % 4 != 0) return std::nullopt;
    text.remove_suffix(text.ends_with("==") ? 2 : 1);
    if (text.size() % 4 < 2) return std::nullopt;
  }
  return decode(text, saw_foreign);
}

std::optional<Bytes> from_base64url(std::string_view text) {
  return decode(text, saw_foreign | saw_standard);
}

}  // namespace catbird
