// SPDX-License-Identifier: MIT
#pragma once

#include "storage/sqlite/cleaner.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/tables.hpp"
#include "storage/user_writer.hpp"

namespace catbird::storage::sqlite {

/// For jobs, inside the writer's transaction.
class SqliteUserWriter final : public UserWriter {
 public:
  explicit SqliteUserWriter(Database& database)
      : db_(database), tables_(database), cleaner_(database) {}

  TableWriter& tables() override { return tables_; }

  Result<PublishResult> publish(const core::Caller& owner, const NewKeyPackage& package,
                                Timestamp now) override;
  Result<PublishResult> note_consumed(const core::Caller& owner, const NewKeyPackage& package,
                                      Timestamp at) override;
  Result<std::vector<ReservedKeyPackage>> reserve(const ReserveQuery& query) override;
  Result<std::uint64_t> revoke(const core::Caller& owner,
                               const std::optional<std::vector<Bytes>>& only,
                               Timestamp now) override;
  Result<bool> end_welcome(const core::ConvoId& convo, const core::Caller& device, Timestamp now,
                           WelcomeEnd end) override;
  Cleaner* cleaner() override { return &cleaner_; }

  Result<std::optional<PlacedNotice>> place(const core::ConvoId& convo, core::Noted noted) override;

 private:
  Result<PublishResult> insert(const core::Caller& owner, const NewKeyPackage& package,
                               Timestamp now, std::optional<Timestamp> consumed_at);

  Database& db_;
  SqliteTables tables_;
  SqliteCleaner cleaner_;
};

}  // namespace catbird::storage::sqlite
