// SPDX-License-Identifier: MIT
#include "storage/table.hpp"

#include "base/check.hpp"
#include "storage/checksum.hpp"

#include <algorithm>

namespace catbird::storage {

namespace {

struct Add {
  RowSum& sum;
  void operator()(std::monostate) const { sum.add_null(); }
  void operator()(std::int64_t value) const { sum.add(value); }
  void operator()(const std::string& value) const { sum.add_text(value); }
  void operator()(const Bytes& value) const { sum.add_blob(value); }
};

}  // namespace

std::size_t TableSpec::index_of(std::string_view column) const {
  const auto it = std::ranges::find(columns, column, &ColumnSpec::name);
  CATBIRD_CHECK(it != columns.end());
  return static_cast<std::size_t>(it - columns.begin());
}

std::int64_t sum_of_row(const TableSpec& table, const Cells& row) {
  CATBIRD_CHECK(row.size() == table.columns.size());
  RowSum sum(table.name);
  for (const auto& cell : row) std::visit(Add{sum}, cell);
  return sum.value();
}

}  // namespace catbird::storage
