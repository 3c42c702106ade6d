// SPDX-License-Identifier: MIT
#pragma once

#include "storage/sqlite/cleaner.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/user_writer.hpp"

namespace catbird::storage::sqlite {

/// For jobs, inside the writer's transaction.
class SqliteUserWriter final : public UserWriter {
 public:
  explicit SqliteUserWriter(Database& database) : db_(database), cleaner_(database) {}

  Result<PublishResult> publish(const core::Caller& owner, const NewKeyPackage& package,
                                Timestamp now) override;
  Result<PublishResult> note_consumed(const core::Caller& owner, const NewKeyPackage& package,
                                      Timestamp at) override;
  Result<std::vector<ReservedKeyPackage>> reserve(const ReserveQuery& query) override;
  Result<bool> confirm_welcome(const core::ConvoId& convo, const core::Caller& device,
                               Timestamp now) override;
  Cleaner* cleaner() override { return &cleaner_; }

 private:
  Result<PublishResult> insert(const core::Caller& owner, const NewKeyPackage& package,
                               Timestamp now, std::optional<Timestamp> consumed_at);

  Database& db_;
  SqliteCleaner cleaner_;
};

}  // namespace catbird::storage::sqlite
