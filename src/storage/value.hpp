// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/strong.hpp"
#include "base/time.hpp"
#include "storage/checksum.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace catbird::storage {

/// A column's value; text and bytes are views of the caller's.
class Value {
 public:
  Value(std::nullopt_t) {}                                     // NOLINT(*explicit*)
  Value(std::int64_t value) : value_(value) {}                 // NOLINT(*explicit*)
  Value(int value) : value_(std::int64_t{value}) {}            // NOLINT(*explicit*)
  Value(bool value) : value_(std::int64_t{value ? 1 : 0}) {}   // NOLINT(*explicit*)
  Value(std::uint16_t value) : value_(std::int64_t{value}) {}  // NOLINT(*explicit*)
  // Above 2^63 the number turns negative, which no CHECK lets in.
  Value(std::uint64_t value) : value_(static_cast<std::int64_t>(value)) {}  // NOLINT(*explicit*)
  Value(std::string_view value) : value_(value) {}                          // NOLINT(*explicit*)
  Value(const std::string& value) : value_(std::string_view(value)) {}      // NOLINT(*explicit*)
  Value(const char* value) : value_(std::string_view(value)) {}             // NOLINT(*explicit*)
  Value(ByteView value) : value_(value) {}                                  // NOLINT(*explicit*)
  Value(const Bytes& value) : value_(ByteView(value)) {}                    // NOLINT(*explicit*)
  template <std::size_t n>
  Value(const std::array<std::uint8_t, n>& value)
      : value_(ByteView(value)) {}  // NOLINT(*explicit*)
  template <class T, class Tag>
  Value(const Strong<T, Tag>& value) : Value(value.value) {}  // NOLINT(*explicit*)
  template <class T>
  Value(const std::optional<T>& value) {  // NOLINT(*explicit*)
    if (value) *this = Value(*value);
  }

  template <class Visitor>
  decltype(auto) visit(Visitor&& visitor) const {
    return std::visit(std::forward<Visitor>(visitor), value_);
  }

 private:
  std::variant<std::monostate, std::int64_t, std::string_view, ByteView> value_;
};

/// The largest number a column holds; queries clamp to it.
inline std::int64_t clamped(std::uint64_t value) {
  return value > static_cast<std::uint64_t>(INT64_MAX) ? INT64_MAX
                                                       : static_cast<std::int64_t>(value);
}

/// Checksum of a row about to be written: `values` are its columns up to the checksum.
inline std::int64_t sum_row(std::string_view table, std::span<const Value> values) {
  struct Add {
    RowSum& sum;
    void operator()(std::monostate) const { sum.add_null(); }
    void operator()(std::int64_t value) const { sum.add(value); }
    void operator()(std::string_view value) const { sum.add_text(value); }
    void operator()(ByteView value) const { sum.add_blob(value); }
  };
  RowSum sum(table);
  for (const auto& value : values) value.visit(Add{sum});
  return sum.value();
}

}  // namespace catbird::storage
