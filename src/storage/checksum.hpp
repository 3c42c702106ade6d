// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <string_view>

namespace catbird::storage {

/// XXH3-64 of `bytes`, as databases keep it: a signed integer.
std::int64_t sum_of(ByteView bytes);

/// The checksum of a row: its table's name and its columns in order, each with its type and
/// length, so that no two rows have the same text. Finds accidents (a flipped bit, a page of
/// another place), not attackers.
class RowSum {
 public:
  explicit RowSum(std::string_view table);
  void add_null();
  void add(std::int64_t value);
  void add_text(std::string_view value);
  void add_blob(ByteView value);
  std::int64_t value() const { return sum_of(buffer_); }

 private:
  void add_bytes(std::uint8_t type, ByteView value);
  void add_number(std::uint64_t value);

  Bytes buffer_;
};

}  // namespace catbird::storage
