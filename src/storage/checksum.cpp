// SPDX-License-Identifier: MIT
#include "storage/checksum.hpp"

#include <xxhash.h>

#include <array>
#include <bit>
#include <cstddef>

namespace catbird::storage {

namespace {

constexpr std::size_t usual_row_bytes = 256;
enum Type : std::uint8_t { null_type, integer_type, text_type, blob_type };

}  // namespace

std::int64_t sum_of(ByteView bytes) {
  return std::bit_cast<std::int64_t>(XXH3_64bits(bytes.data(), bytes.size()));
}

RowSum::RowSum(std::string_view table) {
  buffer_.reserve(usual_row_bytes);
  add_text(table);
}

void RowSum::add_null() { buffer_.push_back(null_type); }

void RowSum::add(std::int64_t value) {
  buffer_.push_back(integer_type);
  add_number(std::bit_cast<std::uint64_t>(value));
}

void RowSum::add_text(std::string_view value) { add_bytes(text_type, view_of(value)); }
void RowSum::add_blob(ByteView value) { add_bytes(blob_type, value); }

void RowSum::add_bytes(std::uint8_t type, ByteView value) {
  buffer_.push_back(type);
  add_number(value.size());
  buffer_.insert(buffer_.end(), value.begin(), value.end());
}

// Little-endian whatever the machine: a database file may move.
void RowSum::add_number(std::uint64_t value) {
  std::array<std::uint8_t, 8> bytes{};
  for (auto& byte : bytes) {
    byte = static_cast<std::uint8_t>(value);
    value >>= 8;
  }
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

}  // namespace catbird::storage
