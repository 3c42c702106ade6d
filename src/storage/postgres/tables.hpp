// SPDX-License-Identifier: MIT
#pragma once

#include "storage/postgres/connection.hpp"
#include "storage/table.hpp"

#include <functional>

namespace catbird::storage::postgres {

/// The reading half, over whatever runs a statement (a reader's connection, or a lane's).
class PostgresTableReader {
 public:
  using Run = std::function<Result<Rows>(const char* sql, Params params)>;
  using Corrupt = std::function<Error(std::string_view table)>;

  PostgresTableReader(Run run, Corrupt corrupt)
      : run_(std::move(run)), corrupt_(std::move(corrupt)) {}
  Result<std::vector<Cells>> select(const TableSpec& table, const Selection& selection) const;
  Result<std::uint64_t> count(const TableSpec& table, const Selection& selection) const;
  /// What a select_call() gave.
  Result<std::vector<Cells>> rows_of(const TableSpec& table, const Rows& found) const;

 private:
  Run run_;
  Corrupt corrupt_;
};

/// For PostgresReader::tables().
class PostgresReadTables final : public TableReader {
 public:
  explicit PostgresReadTables(PostgresTableReader reader) : reader_(std::move(reader)) {}
  Result<std::vector<Cells>> select(const TableSpec& table, const Selection& selection) override {
    return reader_.select(table, selection);
  }
  Result<std::uint64_t> count(const TableSpec& table, const Selection& selection) override {
    return reader_.count(table, selection);
  }

 private:
  PostgresTableReader reader_;
};

/// The statements for whoever sends many in one round trip.
Call select_call(const TableSpec& table, const Selection& selection);
Call insert_call(const TableSpec& table, const Cells& row);
Call put_call(const TableSpec& table, const Cells& row);
/// The next `count` positions of the log, one a row; the log lock is held until they are used.
Call draw_positions(std::size_t count);

/// Inside the lane's transaction. `written` is set once anything was.
class PostgresTables final : public TableWriter {
 public:
  PostgresTables(Connection& connection, bool& written);

  Result<std::vector<Cells>> select(const TableSpec& table, const Selection& selection) override {
    return reader_.select(table, selection);
  }
  Result<std::uint64_t> count(const TableSpec& table, const Selection& selection) override {
    return reader_.count(table, selection);
  }
  Result<bool> insert(const TableSpec& table, const Cells& row) override;
  Result<void> put(const TableSpec& table, const Cells& row) override;
  Result<bool> replace(const TableSpec& table, const Cells& before, const Cells& after) override;
  Result<bool> erase(const TableSpec& table, const Cells& row) override;
  /// Does not wait, so that two lanes never wait for each other: `retry` where it is taken.
  Result<void> lock(const std::string& name) override;

 private:
  Result<bool> change(const char* sql, std::span<const Value> values);

  Connection& db_;
  bool& written_;
  PostgresTableReader reader_;
};

}  // namespace catbird::storage::postgres
