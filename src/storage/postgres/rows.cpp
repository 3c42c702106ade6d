// SPDX-License-Identifier: MIT
#include "storage/postgres/rows.hpp"

#include <charconv>
#include <cstring>

namespace catbird::storage::postgres {

std::uint64_t Rows::changed() const {
  std::uint64_t count = 0;
  if (!result_) return count;
  const char* text = PQcmdTuples(result_.get());
  std::from_chars(text, text + std::strlen(text), count);
  return count;
}

std::int64_t Rows::integer(int row, int column) const {
  const auto bytes = blob(row, column);
  if (bytes.empty()) return 0;
  // Sign-extended from the width it came in; a bool is one byte, 0 or 1.
  constexpr std::uint8_t sign = 0x80;
  std::int64_t value = (bytes[0] & sign) != 0 ? bytes[0] - 256 : bytes[0];
  for (const auto byte : bytes.subspan(1)) value = value * 256 + byte;
  return value;
}

std::string Rows::text(int row, int column) const {
  return std::string(text_of(blob(row, column)));
}

ByteView Rows::blob(int row, int column) const {
  const char* value = PQgetvalue(result_.get(), row, column);
  return {reinterpret_cast<const std::uint8_t*>(value),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Bytes Rows::bytes(int row, int column) const {
  const auto view = blob(row, column);
  return {view.begin(), view.end()};
}

}  // namespace catbird::storage::postgres
