// SPDX-License-Identifier: MIT
#include "storage/sqlite/tables.hpp"

#include "storage/table_sql.hpp"

namespace catbird::storage::sqlite {

namespace {

class SqliteDialect final : public Dialect {
 public:
  std::string parameter(std::size_t number, ColumnType) const override {
    return "?" + std::to_string(number);
  }
};

const SqliteDialect dialect;

Cell cell_of(const Query& query, int column, ColumnType type) {
  if (query.is_null(column)) return {};
  switch (type) {
    case ColumnType::integer:
      return query.integer(column);
    case ColumnType::text:
      return query.text(column);
    case ColumnType::blob:
      return query.bytes(column);
  }
  return {};
}

}  // namespace

Result<std::vector<Cells>> SqliteTables::select(const TableSpec& table,
                                                const Selection& selection) {
  const auto statement = select_statement(dialect, table, selection);
  Query query = db_.query(statement.sql, statement.values);
  std::vector<Cells> rows;
  while (true) {
    auto found = query.next();
    if (!found) return std::unexpected(found.error());
    if (!*found) return rows;
    Cells row;
    row.reserve(table.columns.size());
    int column = 0;
    for (const auto& spec : table.columns) row.push_back(cell_of(query, column++, spec.type));
    if (query.integer(column) != sum_of_row(table, row)) {
      return std::unexpected(db_.corrupt(table.name));
    }
    rows.push_back(std::move(row));
  }
}

Result<std::uint64_t> SqliteTables::count(const TableSpec& table, const Selection& selection) {
  const auto statement = count_statement(dialect, table, selection);
  Query query = db_.query(statement.sql, statement.values);
  auto found = query.next();
  if (!found) return std::unexpected(found.error());
  return query.number(0);
}

Result<bool> SqliteTables::insert(const TableSpec& table, const Cells& row) {
  const auto statement = insert_statement(dialect, table, row);
  auto done = db_.run(statement.sql, statement.values);
  if (!done) return std::unexpected(done.error());
  return db_.changes() == 1;
}

Result<void> SqliteTables::put(const TableSpec& table, const Cells& row) {
  const auto statement = put_statement(dialect, table, row);
  return db_.run(statement.sql, statement.values);
}

Result<bool> SqliteTables::replace(const TableSpec& table, const Cells& before,
                                   const Cells& after) {
  const auto statement = replace_statement(dialect, table, before, after);
  auto done = db_.run(statement.sql, statement.values);
  if (!done) return std::unexpected(done.error());
  return db_.changes() == 1;
}

Result<bool> SqliteTables::erase(const TableSpec& table, const Cells& row) {
  const auto statement = erase_statement(dialect, table, row);
  auto done = db_.run(statement.sql, statement.values);
  if (!done) return std::unexpected(done.error());
  return db_.changes() == 1;
}

}  // namespace catbird::storage::sqlite
