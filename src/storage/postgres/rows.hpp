// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace catbird::storage::postgres {

struct ResultDeleter {
  void operator()(PGresult* result) const { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ResultDeleter>;

/// What a statement gave, in binary form.
class Rows {
 public:
  Rows() = default;
  explicit Rows(ResultPtr result) : result_(std::move(result)) {}

  int size() const { return result_ ? PQntuples(result_.get()) : 0; }
  bool empty() const { return size() == 0; }
  /// Rows that an INSERT, UPDATE or DELETE changed.
  std::uint64_t changed() const;

  bool is_null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  /// Any integer type and bool; 0 for NULL.
  std::int64_t integer(int row, int column) const;
  std::uint64_t number(int row, int column) const {
    return static_cast<std::uint64_t>(integer(row, column));
  }
  std::string text(int row, int column) const;
  /// Valid as long as the rows.
  ByteView blob(int row, int column) const;
  Bytes bytes(int row, int column) const;

 private:
  ResultPtr result_;
};

}  // namespace catbird::storage::postgres
