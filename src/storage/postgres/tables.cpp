// SPDX-License-Identifier: MIT
#include "storage/postgres/tables.hpp"

#include "storage/table_sql.hpp"

namespace catbird::storage::postgres {

namespace {

constexpr const char* next_positions =
    "SELECT nextval('message_position') FROM generate_series(1, $1::bigint)";
constexpr const char* try_lock = "SELECT pg_try_advisory_xact_lock($1::bigint)";

class PostgresDialect final : public Dialect {
 public:
  std::string parameter(std::size_t number, ColumnType type) const override {
    std::string out = "$" + std::to_string(number);
    switch (type) {
      case ColumnType::integer:
        return out + "::bigint";
      case ColumnType::text:
        return out + "::text";
      case ColumnType::blob:
        return out + "::bytea";
    }
    return out;
  }
};

const PostgresDialect dialect;

Params params_of(std::span<const Value> values) {
  Params params;
  for (const auto& value : values) params.add(value);
  return params;
}

Cell cell_of(const Rows& rows, int row, int column, ColumnType type) {
  if (rows.is_null(row, column)) return {};
  switch (type) {
    case ColumnType::integer:
      return rows.integer(row, column);
    case ColumnType::text:
      return rows.text(row, column);
    case ColumnType::blob:
      return rows.bytes(row, column);
  }
  return {};
}

}  // namespace

Result<std::vector<Cells>> PostgresTableReader::select(const TableSpec& table,
                                                       const Selection& selection) const {
  const auto statement = select_statement(dialect, table, selection);
  auto found = run_(statement.sql, params_of(statement.values));
  if (!found) return std::unexpected(found.error());
  return rows_of(table, *found);
}

Result<std::vector<Cells>> PostgresTableReader::rows_of(const TableSpec& table,
                                                        const Rows& found) const {
  std::vector<Cells> rows;
  rows.reserve(static_cast<std::size_t>(found.size()));
  for (int at = 0; at < found.size(); ++at) {
    Cells row;
    row.reserve(table.columns.size());
    int column = 0;
    for (const auto& spec : table.columns) row.push_back(cell_of(found, at, column++, spec.type));
    if (found.integer(at, column) != sum_of_row(table, row)) {
      return std::unexpected(corrupt_(table.name));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::uint64_t> PostgresTableReader::count(const TableSpec& table,
                                                 const Selection& selection) const {
  const auto statement = count_statement(dialect, table, selection);
  auto found = run_(statement.sql, params_of(statement.values));
  if (!found) return std::unexpected(found.error());
  return found->number(0, 0);
}

namespace {
Call call_of(const Statement& statement) { return {statement.sql, params_of(statement.values)}; }
}  // namespace

Call draw_positions(std::size_t count) {
  return {next_positions, {static_cast<std::int64_t>(count)}};
}
Call select_call(const TableSpec& table, const Selection& selection) {
  return call_of(select_statement(dialect, table, selection));
}
Call insert_call(const TableSpec& table, const Cells& row) {
  return call_of(insert_statement(dialect, table, row));
}
Call put_call(const TableSpec& table, const Cells& row) {
  return call_of(put_statement(dialect, table, row));
}

PostgresTables::PostgresTables(Connection& connection, bool& written)
    : db_(connection),
      written_(written),
      reader_([this](const char* sql, const Params& params) { return db_.query(sql, params); },
              [this](std::string_view table) { return db_.corrupt(table); }) {}

Result<bool> PostgresTables::change(const char* sql, std::span<const Value> values) {
  auto done = db_.query(sql, params_of(values));
  if (!done) return std::unexpected(done.error());
  if (done->changed() == 0) return false;
  written_ = true;
  return true;
}

Result<bool> PostgresTables::insert(const TableSpec& table, const Cells& row) {
  const auto statement = insert_statement(dialect, table, row);
  return change(statement.sql, statement.values);
}

Result<void> PostgresTables::put(const TableSpec& table, const Cells& row) {
  const auto statement = put_statement(dialect, table, row);
  auto done = change(statement.sql, statement.values);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<bool> PostgresTables::replace(const TableSpec& table, const Cells& before,
                                     const Cells& after) {
  const auto statement = replace_statement(dialect, table, before, after);
  return change(statement.sql, statement.values);
}

Result<bool> PostgresTables::erase(const TableSpec& table, const Cells& row) {
  const auto statement = erase_statement(dialect, table, row);
  return change(statement.sql, statement.values);
}

Result<void> PostgresTables::lock(const std::string& name) {
  auto got = db_.query(try_lock, {sum_of(view_of(name))});
  if (!got) return std::unexpected(got.error());
  if (got->integer(0, 0) == 0) return fail(Errc::retry, "another request changes the same");
  return {};
}

}  // namespace catbird::storage::postgres
