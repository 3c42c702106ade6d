// SPDX-License-Identifier: MIT
#include "storage/table_sql.hpp"

#include "base/check.hpp"

#include <bit>
#include <mutex>
#include <unordered_set>

namespace catbird::storage {

namespace {

const char* kept(std::string text) {
  static std::mutex mutex;
  static std::unordered_set<std::string> texts;  // nodes: the text of one never moves
  const std::lock_guard lock(mutex);
  return texts.insert(std::move(text)).first->c_str();
}

Value value_of(const Cell& cell) {
  return std::visit(
      [](const auto& value) -> Value {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
          return std::nullopt;
        } else {
          return value;
        }
      },
      cell);
}

class Maker {
 public:
  Maker(const Dialect& dialect, const TableSpec& table) : dialect_(dialect), table_(table) {}

  Maker& add(std::string_view text) {
    sql_ += text;
    return *this;
  }
  Maker& names(std::string_view separator, std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if (i != from) sql_ += separator;
      sql_ += table_.columns[i].name;
    }
    return *this;
  }
  Maker& value(ColumnType type, Value value) {
    values_.push_back(value);
    sql_ += dialect_.parameter(values_.size(), type);
    return *this;
  }
  Maker& cell(std::size_t column, const Cells& row) {
    return value(table_.columns[column].type, value_of(row[column]));
  }
  Maker& sum(const Cells& row) { return value(ColumnType::integer, sum_of_row(table_, row)); }

  /// key = … AND checksum = …
  Maker& exactly(const Cells& row) {
    add(" WHERE ");
    for (std::size_t i = 0; i < table_.key; ++i) {
      add(table_.columns[i].name).add(" = ").cell(i, row).add(" AND ");
    }
    return add("checksum = ").sum(row);
  }

  Maker& where(const std::vector<Filter>& filters) {
    std::string_view word = " WHERE ";
    for (const auto& filter : filters) {
      add(word);
      condition(filter);
      word = " AND ";
    }
    return *this;
  }

  Statement done() { return {kept(std::move(sql_)), std::move(values_)}; }

 private:
  void condition(const Filter& filter) {
    using enum Filter::Op;
    const auto type = table_.columns[table_.index_of(filter.column)].type;
    add(filter.column);
    switch (filter.op) {
      case is:
        add(" = ").value(type, value_of(filter.values.at(0)));
        break;
      case is_not:
        add(" <> ").value(type, value_of(filter.values.at(0)));
        break;
      case below:
        add(" < ").value(type, value_of(filter.values.at(0)));
        break;
      case above:
        add(" > ").value(type, value_of(filter.values.at(0)));
        break;
      case is_null:
        add(" IS NULL");
        break;
      case any_of:
        any(type, filter.values);
        break;
    }
  }

  // As many parameters as the next power of two, so that there are few different statements.
  void any(ColumnType type, const std::vector<Cell>& values) {
    add(" IN (");
    const auto places = std::bit_ceil(std::max<std::size_t>(values.size(), 1));
    for (std::size_t i = 0; i < places; ++i) {
      if (i != 0) add(", ");
      value(type, values.empty() ? Value(std::nullopt)
                                 : value_of(values[std::min(i, values.size() - 1)]));
    }
    add(")");
  }

  const Dialect& dialect_;
  const TableSpec& table_;
  std::string sql_;
  std::vector<Value> values_;
};

Maker insert_of(const Dialect& dialect, const TableSpec& table, const Cells& row) {
  Maker maker(dialect, table);
  maker.add("INSERT INTO ").add(table.name).add(" (").names(", ", 0, table.columns.size());
  maker.add(", checksum) VALUES (");
  for (std::size_t i = 0; i < table.columns.size(); ++i) maker.cell(i, row).add(", ");
  maker.sum(row).add(") ON CONFLICT ");
  return maker;
}

}  // namespace

Statement select_statement(const Dialect& dialect, const TableSpec& table,
                           const Selection& selection) {
  Maker maker(dialect, table);
  maker.add("SELECT ").names(", ", 0, table.columns.size()).add(", checksum FROM ");
  maker.add(table.name).where(selection.where).add(" ORDER BY ");
  const std::string_view way = selection.descending ? " DESC" : "";
  if (!selection.order.empty()) maker.add(selection.order).add(way).add(", ");
  for (std::size_t i = 0; i < table.key; ++i) {
    if (i != 0) maker.add(", ");
    maker.add(table.columns[i].name).add(way);
  }
  if (selection.rows_max != 0) {
    maker.add(" LIMIT ").value(ColumnType::integer, std::uint64_t{selection.rows_max});
  }
  return maker.done();
}

Statement count_statement(const Dialect& dialect, const TableSpec& table,
                          const Selection& selection) {
  Maker maker(dialect, table);
  return maker.add("SELECT count(*) FROM ").add(table.name).where(selection.where).done();
}

Statement insert_statement(const Dialect& dialect, const TableSpec& table, const Cells& row) {
  return insert_of(dialect, table, row).add("DO NOTHING").done();
}

Statement put_statement(const Dialect& dialect, const TableSpec& table, const Cells& row) {
  auto maker = insert_of(dialect, table, row);
  maker.add("(").names(", ", 0, table.key).add(") DO UPDATE SET ");
  for (std::size_t i = table.key; i < table.columns.size(); ++i) {
    maker.add(table.columns[i].name).add(" = excluded.").add(table.columns[i].name).add(", ");
  }
  return maker.add("checksum = excluded.checksum").done();
}

Statement replace_statement(const Dialect& dialect, const TableSpec& table, const Cells& before,
                            const Cells& after) {
  for (std::size_t i = 0; i < table.key; ++i) CATBIRD_CHECK(before[i] == after[i]);
  Maker maker(dialect, table);
  maker.add("UPDATE ").add(table.name).add(" SET ");
  for (std::size_t i = table.key; i < table.columns.size(); ++i) {
    maker.add(table.columns[i].name).add(" = ").cell(i, after).add(", ");
  }
  return maker.add("checksum = ").sum(after).exactly(before).done();
}

Statement erase_statement(const Dialect& dialect, const TableSpec& table, const Cells& row) {
  return Maker(dialect, table).add("DELETE FROM ").add(table.name).exactly(row).done();
}

}  // namespace catbird::storage
