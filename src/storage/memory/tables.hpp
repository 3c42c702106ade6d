// SPDX-License-Identifier: MIT
#pragma once

#include "storage/memory/data.hpp"
#include "storage/table.hpp"

namespace catbird::storage::memory {

/// The caller holds the disk's mutex.
class MemoryTables final : public TableWriter {
 public:
  explicit MemoryTables(MemoryDisk::Data& data) : data_(data) {}

  Result<std::vector<Cells>> select(const TableSpec& table, const Selection& selection) override;
  Result<std::uint64_t> count(const TableSpec& table, const Selection& selection) override;
  Result<bool> insert(const TableSpec& table, const Cells& row) override;
  Result<void> put(const TableSpec& table, const Cells& row) override;
  Result<bool> replace(const TableSpec& table, const Cells& before, const Cells& after) override;
  Result<bool> erase(const TableSpec& table, const Cells& row) override;
  /// Batches follow one another.
  Result<void> lock(const std::string&) override { return {}; }

 private:
  MemoryTable& rows_of(const TableSpec& table);
  bool taken(const TableSpec& table, const Cells& row);

  MemoryDisk::Data& data_;
};

}  // namespace catbird::storage::memory
