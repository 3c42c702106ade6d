// SPDX-License-Identifier: MIT
#pragma once

#include "storage/postgres/connection.hpp"
#include "storage/postgres/tables.hpp"
#include "storage/user_writer.hpp"

#include <cstdint>
#include <optional>

namespace catbird::storage::postgres {

/// Inside the lane's transaction, which holds the log lock: no other process claims at the same
/// time. `written` says whether anything was changed, so that a job that fails must be undone.
class PostgresUserWriter final : public UserWriter {
 public:
  /// `connection` and `written` must outlive this.
  PostgresUserWriter(Connection& connection, bool& written)
      : db_(connection), written_(written), tables_(connection, written) {}
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

  Result<std::optional<PlacedNotice>> place(const core::ConvoId& convo, core::Noted noted) override;

 private:
  Result<PublishResult> insert(const core::Caller& owner, const NewKeyPackage& package,
                               Timestamp now, std::optional<Timestamp> consumed_at);

  Connection& db_;
  bool& written_;
  PostgresTables tables_;
};

}  // namespace catbird::storage::postgres
