// SPDX-License-Identifier: MIT
#include "storage/memory/tables.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <utility>

namespace catbird::storage::memory {

namespace {

bool holds(const TableSpec& table, const Filter& filter, const Cells& row) {
  using enum Filter::Op;
  const auto& cell = row[table.index_of(filter.column)];
  const bool null = std::holds_alternative<std::monostate>(cell);
  if (filter.op == is_null) return null;
  if (null) return false;  // as in SQL: NULL compares with nothing
  switch (filter.op) {
    case is:
      return cell == filter.values.at(0);
    case is_not:
      return cell != filter.values.at(0);
    case below:
      return cell < filter.values.at(0);
    case above:
      return cell > filter.values.at(0);
    case any_of:
      return std::ranges::find(filter.values, cell) != filter.values.end();
    case is_null:
      break;
  }
  return null;
}

Cells key_of(const TableSpec& table, const Cells& row) {
  return {row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.key)};
}

bool share(const TableSpec& table, const std::vector<std::string_view>& set, const Cells& a,
           const Cells& b) {
  return std::ranges::all_of(set, [&](std::string_view column) {
    const auto index = table.index_of(column);
    return !std::holds_alternative<std::monostate>(a[index]) && a[index] == b[index];
  });
}

}  // namespace

MemoryTable& MemoryTables::rows_of(const TableSpec& table) {
  return data_.tables[std::string(table.name)];
}

Result<std::vector<Cells>> MemoryTables::select(const TableSpec& table,
                                                const Selection& selection) {
  std::vector<Cells> found;
  for (const auto& [key, row] : rows_of(table)) {
    if (std::ranges::all_of(selection.where,
                            [&](const Filter& one) { return holds(table, one, row); })) {
      found.push_back(row);
    }
  }
  if (!selection.order.empty()) {
    const auto index = table.index_of(selection.order);
    std::ranges::sort(found, {},
                      [&](const Cells& row) { return std::pair(row[index], key_of(table, row)); });
  }
  if (selection.descending) std::ranges::reverse(found);
  if (selection.rows_max != 0 && found.size() > selection.rows_max) {
    found.resize(selection.rows_max);
  }
  return found;
}

Result<std::uint64_t> MemoryTables::count(const TableSpec& table, const Selection& selection) {
  return select(table, {.where = selection.where})->size();
}

bool MemoryTables::taken(const TableSpec& table, const Cells& row) {
  const auto key = key_of(table, row);
  for (const auto& [known, other] : rows_of(table)) {
    if (known == key) continue;
    for (const auto& set : table.unique) {
      if (share(table, set, row, other)) return true;
    }
  }
  return false;
}

Result<bool> MemoryTables::insert(const TableSpec& table, const Cells& row) {
  auto& rows = rows_of(table);
  if (rows.contains(key_of(table, row)) || taken(table, row)) return false;
  data_.journal.insert(rows, key_of(table, row), row);
  return true;
}

Result<void> MemoryTables::put(const TableSpec& table, const Cells& row) {
  if (taken(table, row)) return fail(Errc::conflict, "a unique value is taken");
  auto& rows = rows_of(table);
  if (const auto it = rows.find(key_of(table, row)); it != rows.end()) {
    data_.journal.save(it->second);
    it->second = row;
  } else {
    data_.journal.insert(rows, key_of(table, row), row);
  }
  return {};
}

Result<bool> MemoryTables::replace(const TableSpec& table, const Cells& before,
                                   const Cells& after) {
  CATBIRD_CHECK(key_of(table, before) == key_of(table, after));
  auto& rows = rows_of(table);
  const auto it = rows.find(key_of(table, before));
  if (it == rows.end() || it->second != before) return false;
  if (taken(table, after)) return fail(Errc::conflict, "a unique value is taken");
  data_.journal.save(it->second);
  it->second = after;
  return true;
}

Result<bool> MemoryTables::erase(const TableSpec& table, const Cells& row) {
  auto& rows = rows_of(table);
  const auto it = rows.find(key_of(table, row));
  if (it == rows.end() || it->second != row) return false;
  data_.journal.erase(rows, it->first);
  return true;
}

}  // namespace catbird::storage::memory
