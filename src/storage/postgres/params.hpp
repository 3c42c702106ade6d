// SPDX-License-Identifier: MIT
#pragma once

#include "storage/value.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace catbird::storage::postgres {

/// The parameters of one statement in PostgreSQL's binary form: int8, text, bytea, and arrays of
/// them. Everything is copied, so that a call can be sent later.
class Params {
 public:
  Params() = default;
  Params(std::initializer_list<Value> values) {
    for (const auto& value : values) add(value);
  }

  void add(const Value& value);

  std::size_t size() const { return slots_.size(); }
  /// What libpq wants; valid until the next change.
  struct Wire {
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
  };
  Wire wire() const;

 private:
  friend class Column;
  struct Slot {
    std::size_t at = 0;
    int length = 0;
    bool null = false;
  };
  std::vector<Slot> slots_;
  std::vector<char> bytes_;
};

/// One array parameter, a column of the rows that one statement writes (`unnest`).
class Column {
 public:
  enum class Type : std::uint32_t { int8 = 20, text = 25, bytea = 17 };  // type oids

  explicit Column(Type type) : type_(type) {}
  void add(const Value& value);
  std::size_t size() const { return count_; }
  void add_to(Params& params) const;

 private:
  Type type_;
  std::uint32_t count_ = 0;
  bool nulls_ = false;
  std::vector<char> elements_;
};

}  // namespace catbird::storage::postgres
