// SPDX-License-Identifier: MIT
#pragma once

#include "storage/cleaner.hpp"
#include "storage/sqlite/convo_row.hpp"
#include "storage/sqlite/database.hpp"

namespace catbird::storage::sqlite {

/// Inside the writer's transaction, as jobs of the lane.
class SqliteCleaner final : public Cleaner {
 public:
  /// `database` must outlive this.
  explicit SqliteCleaner(Database& database) : db_(database) {}

  Result<Expired> expire_messages(Timestamp before, RowHandle after) override;
  Result<std::uint64_t> forget_requests(Timestamp before) override;
  Result<std::uint64_t> drop_welcomes(Timestamp before) override;
  Result<std::uint64_t> drop_key_packages(Timestamp now) override;

 private:
  Result<std::uint64_t> expire(RowHandle convo, Timestamp before);
  Result<std::uint64_t> run(const char* sql, Timestamp before);

  Database& db_;
};

}  // namespace catbird::storage::sqlite
