// SPDX-License-Identifier: MIT
#pragma once

#include "storage/sqlite/database.hpp"
#include "storage/table.hpp"

namespace catbird::storage::sqlite {

/// On a reader's connection every call is a read transaction of its own; on the writer's it is part
/// of the open one.
class SqliteTables final : public TableWriter {
 public:
  explicit SqliteTables(Database& database) : db_(database) {}

  Result<std::vector<Cells>> select(const TableSpec& table, const Selection& selection) override;
  Result<std::uint64_t> count(const TableSpec& table, const Selection& selection) override;
  Result<bool> insert(const TableSpec& table, const Cells& row) override;
  Result<void> put(const TableSpec& table, const Cells& row) override;
  Result<bool> replace(const TableSpec& table, const Cells& before, const Cells& after) override;
  Result<bool> erase(const TableSpec& table, const Cells& row) override;
  /// There is one writer.
  Result<void> lock(const std::string&) override { return {}; }

 private:
  Database& db_;
};

}  // namespace catbird::storage::sqlite
