// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/strong.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

// Plain tables outside the ordered core: devices, opt-ins, requests, reports. One description
// serves every backend, so that a new table is a struct, a description and its CREATE TABLE, not
// three stores. What orders or numbers something does not belong here. The schema itself (types,
// CHECKs, indexes) is in the migrations; a test compares it with the descriptions.

namespace catbird::storage {

/// The content of one column of one row; monostate is NULL.
using Cell = std::variant<std::monostate, std::int64_t, std::string, Bytes>;
using Cells = std::vector<Cell>;

enum class ColumnType : std::uint8_t { integer, text, blob };
struct ColumnSpec {
  std::string_view name;  // no reserved word of either database
  ColumnType type = ColumnType::text;
  bool nullable = false;
};

struct TableSpec {
  std::string_view name;
  std::vector<ColumnSpec> columns;  // and behind them, in the schema, `checksum`
  std::size_t key = 1;              // so many of them, from the first on, are the primary key
  /// Further sets of columns that no two rows share, unless one of them is NULL.
  std::vector<std::vector<std::string_view>> unique{};

  std::size_t index_of(std::string_view column) const;
};

/// One condition on a row; all of a selection's must hold.
struct Filter {
  enum class Op : std::uint8_t { is, is_not, below, above, any_of, is_null };
  std::string_view column;
  Op op = Op::is;
  std::vector<Cell> values;  // one; any number for any_of; none for is_null
};

/// Rows that match, by `order` and then by key.
struct Selection {
  std::vector<Filter> where;
  std::string_view order{};
  bool descending = false;
  std::size_t rows_max = 0;  // 0: all
};

/// A snapshot that includes all that was durable when the call began; inside a UserJob also what
/// the job itself has written. Fails with storage_unavailable, and with storage_corrupt for a row
/// whose checksum does not match.
class TableReader {
 public:
  virtual ~TableReader() = default;
  virtual Result<std::vector<Cells>> select(const TableSpec& table, const Selection& selection) = 0;
  virtual Result<std::uint64_t> count(const TableSpec& table, const Selection& selection) = 0;
};

/// Inside a UserJob only.
class TableWriter : public TableReader {
 public:
  /// False if a row with this key, or of one of the unique sets, is there already.
  virtual Result<bool> insert(const TableSpec& table, const Cells& row) = 0;
  /// Inserts, or replaces the row of the same key.
  virtual Result<void> put(const TableSpec& table, const Cells& row) = 0;
  /// Puts `after` in the place of `before`, of the same key. False if the stored row is no longer
  /// `before`.
  virtual Result<bool> replace(const TableSpec& table, const Cells& before, const Cells& after) = 0;
  /// False if the stored row is no longer `row`.
  virtual Result<bool> erase(const TableSpec& table, const Cells& row) = 0;
  /// For a rule over several rows (at most ten devices): until the end of the transaction nobody
  /// else holds the lock of this name. Fails with `retry` where another transaction has it.
  virtual Result<void> lock(const std::string& name) = 0;
};

/// Checksum of a row as stored.
std::int64_t sum_of_row(const TableSpec& table, const Cells& row);

// What a row type needs:
//   struct OptIn {
//     core::Did user;
//     Timestamp at;
//     static const TableSpec& table();
//     template <class Self, class Visit>
//     static void visit(Self& self, Visit&& visit) { visit(self.user); visit(self.at); }
//   };

inline Cell to_cell(std::int64_t value) { return value; }
inline Cell to_cell(bool value) { return std::int64_t{value ? 1 : 0}; }
inline Cell to_cell(std::uint16_t value) { return std::int64_t{value}; }
inline Cell to_cell(std::uint64_t value) { return static_cast<std::int64_t>(value); }
inline Cell to_cell(std::string_view value) { return std::string(value); }
inline Cell to_cell(const char* value) { return std::string(value); }
inline Cell to_cell(const std::string& value) { return value; }
inline Cell to_cell(const Bytes& value) { return value; }
template <class T>
  requires std::is_enum_v<T>
Cell to_cell(T value) {
  return static_cast<std::int64_t>(value);
}
template <class T, class Tag>
Cell to_cell(const Strong<T, Tag>& value) {
  return to_cell(value.value);
}
template <class T>
Cell to_cell(const std::optional<T>& value) {
  return value ? to_cell(*value) : Cell();
}

// The types are those of the description, which every backend verifies.
template <class T>
void from_cell(Cell& cell, T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    value = std::get<std::int64_t>(cell) != 0;
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    value = static_cast<T>(std::get<std::int64_t>(cell));
  } else {
    value = std::move(std::get<T>(cell));
  }
}
template <class T, class Tag>
void from_cell(Cell& cell, Strong<T, Tag>& value) {
  from_cell(cell, value.value);
}
template <class T>
void from_cell(Cell& cell, std::optional<T>& value) {
  value.reset();
  if (!std::holds_alternative<std::monostate>(cell)) from_cell(cell, value.emplace());
}

template <class T>
Cells cells_of(const T& row) {
  Cells cells;
  cells.reserve(T::table().columns.size());
  T::visit(row, [&cells](const auto& value) { cells.push_back(to_cell(value)); });
  return cells;
}
template <class T>
T row_of_cells(Cells cells) {
  T row;
  std::size_t next = 0;
  T::visit(row, [&](auto& value) { from_cell(cells.at(next++), value); });
  return row;
}

template <class T>
Filter where(std::string_view column, const T& value) {
  return {column, Filter::Op::is, {to_cell(value)}};
}
template <class T>
Filter where(std::string_view column, Filter::Op op, const T& value) {
  return {column, op, {to_cell(value)}};
}
template <class T>
Filter where_any(std::string_view column, const std::vector<T>& values) {
  Filter filter{column, Filter::Op::any_of, {}};
  for (const auto& value : values) filter.values.push_back(to_cell(value));
  // The last one again up to a power of two: a statement is kept for each number of values.
  if (values.empty()) return filter;
  const auto last = filter.values.back();
  filter.values.resize(std::bit_ceil(filter.values.size()), last);
  return filter;
}

template <class T>
Result<std::vector<T>> select(TableReader& tables, const Selection& selection) {
  auto found = tables.select(T::table(), selection);
  if (!found) return std::unexpected(found.error());
  std::vector<T> rows;
  rows.reserve(found->size());
  for (auto& cells : *found) rows.push_back(row_of_cells<T>(std::move(cells)));
  return rows;
}
/// The first in the order, if any.
template <class T>
Result<std::optional<T>> select_one(TableReader& tables, Selection selection) {
  selection.rows_max = 1;
  auto rows = select<T>(tables, selection);
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return std::move(rows->front());
}
template <class T>
Result<std::uint64_t> count(TableReader& tables, const Selection& selection) {
  return tables.count(T::table(), selection);
}
template <class T>
Result<bool> insert(TableWriter& tables, const T& row) {
  return tables.insert(T::table(), cells_of(row));
}
template <class T>
Result<void> put(TableWriter& tables, const T& row) {
  return tables.put(T::table(), cells_of(row));
}
/// Fails with `retry` if the row was changed meanwhile.
template <class T>
Result<void> replace(TableWriter& tables, const T& before, const T& after) {
  auto done = tables.replace(T::table(), cells_of(before), cells_of(after));
  if (!done) return std::unexpected(done.error());
  if (!*done) return fail(Errc::retry, "changed meanwhile");
  return {};
}
template <class T>
Result<void> erase(TableWriter& tables, const T& row) {
  auto done = tables.erase(T::table(), cells_of(row));
  if (!done) return std::unexpected(done.error());
  if (!*done) return fail(Errc::retry, "changed meanwhile");
  return {};
}

/// Stores a row whose key was made for it.
template <class T>
Result<void> insert_new(TableWriter& tables, const T& row) {
  auto added = insert(tables, row);
  if (!added) return std::unexpected(added.error());
  if (!*added) return fail(Errc::internal, "an id was made twice");
  return {};
}
/// Erases what the selection gives.
template <class T>
Result<void> erase_rows(TableWriter& tables, const Selection& selection) {
  auto rows = select<T>(tables, selection);
  if (!rows) return std::unexpected(rows.error());
  for (const auto& row : *rows) {
    if (auto done = erase(tables, row); !done) return done;
  }
  return {};
}

/// Every table described so, for the tests that compare.
std::span<const TableSpec* const> all_tables();

}  // namespace catbird::storage
