// SPDX-License-Identifier: MIT
#pragma once

#include "storage/table.hpp"
#include "storage/value.hpp"

#include <string>
#include <string_view>
#include <vector>

// The statements behind TableReader and TableWriter, in the part of SQL that both databases share.

namespace catbird::storage {

/// How a database writes its parameters.
class Dialect {
 public:
  virtual ~Dialect() = default;
  /// Parameter `number` (from 1) of this type.
  virtual std::string parameter(std::size_t number, ColumnType type) const = 0;
};

/// A statement and its values, which are views of the cells it was made from. The text is kept for
/// ever and the same one has one address: backends know statements by it. Their number is bounded
/// by the program's own selections.
struct Statement {
  const char* sql = nullptr;
  std::vector<Value> values;
};

/// Gives all columns, then the checksum.
Statement select_statement(const Dialect& dialect, const TableSpec& table,
                           const Selection& selection);
/// `selection` without order and rows_max.
Statement count_statement(const Dialect& dialect, const TableSpec& table,
                          const Selection& selection);
/// Changes no row where one of the key or of a unique set is there.
Statement insert_statement(const Dialect& dialect, const TableSpec& table, const Cells& row);
Statement put_statement(const Dialect& dialect, const TableSpec& table, const Cells& row);
Statement replace_statement(const Dialect& dialect, const TableSpec& table, const Cells& before,
                            const Cells& after);
Statement erase_statement(const Dialect& dialect, const TableSpec& table, const Cells& row);

}  // namespace catbird::storage
