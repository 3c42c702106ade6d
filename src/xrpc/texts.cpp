// SPDX-License-Identifier: MIT
#include "xrpc/texts.hpp"

#include "base/check.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <array>

namespace catbird::xrpc {

namespace {

constexpr std::size_t hash_bytes = 32;

using Id = std::array<std::uint8_t, 16>;

Id random_id() {
  Id bytes{};
  CATBIRD_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return bytes;
}

std::string id_of(Id bytes, unsigned version) {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0fU) | (version << 4U));
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fU) | 0x80U);
  auto text = to_hex(bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

std::unexpected<Error> out_of_bounds(std::string_view name, std::size_t bytes_max, Errc refusal) {
  return fail(refusal,
              std::string(name) + " must have 1 to " + std::to_string(bytes_max) + " bytes");
}

}  // namespace

Result<std::string> text_within(const Fields& fields, std::string_view name, std::size_t bytes_max,
                                Errc refusal) {
  auto text = fields.text(name);
  if (!text) return text;
  if (text->empty() || text->size() > bytes_max) return out_of_bounds(name, bytes_max, refusal);
  return text;
}

Result<std::optional<std::string>> maybe_text_within(const Fields& fields, std::string_view name,
                                                     std::size_t bytes_max) {
  auto text = fields.maybe_text(name);
  if (!text || !*text) return text;
  if ((*text)->empty() || (*text)->size() > bytes_max) {
    return out_of_bounds(name, bytes_max, Errc::invalid_request);
  }
  return text;
}

Result<std::optional<Timestamp>> maybe_time(const Fields& fields, std::string_view name) {
  auto text = fields.maybe_text(name);
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  const auto time = from_rfc3339(**text);
  if (!time) return fail(Errc::invalid_request, std::string(name) + " is not a datetime");
  return time;
}

bool printable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

Result<std::optional<std::string>> maybe_one_of(const Fields& fields, std::string_view name,
                                                std::initializer_list<std::string_view> allowed) {
  auto text = fields.maybe_text(name);
  if (!text || !*text) return text;
  if (std::ranges::find(allowed, std::string_view(**text)) == allowed.end()) {
    return fail(Errc::invalid_request, std::string(name) + " has no such value");
  }
  return text;
}

std::optional<Bytes> hash_of_hex(std::string_view text) {
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() != hash_bytes) return std::nullopt;
  return bytes;
}

std::string new_id() { return id_of(random_id(), 4); }

std::string new_secret() {
  std::array<std::uint8_t, 32> bytes{};
  CATBIRD_CHECK(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
  return to_base64url(bytes);
}

std::string new_timed_id(Timestamp now) {
  auto bytes = random_id();
  for (std::size_t i = 0; i < 6; ++i) {
    bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(now.value) >> (40 - 8 * i));
  }
  return id_of(bytes, 7);
}

}  // namespace catbird::xrpc
