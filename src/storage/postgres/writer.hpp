// SPDX-License-Identifier: MIT
#pragma once

#include "storage/convo_store.hpp"
#include "storage/postgres/batch.hpp"
#include "storage/postgres/connector.hpp"
#include "storage/postgres/convo_row.hpp"
#include "storage/postgres/user_writer.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace catbird::storage::postgres {

/// The connection of one commit lane. A batch of plain write sets is one statement, which is its
/// own transaction; anything else in it makes a transaction of several statements. What breaks a
/// constraint is found by halving the batch until it stands alone.
class PostgresWriter final : public ConvoStore {
 public:
  explicit PostgresWriter(Connector connector) : connector_(std::move(connector)) {}

  BatchResult commit(std::span<const WriteSet> sets, std::span<const UserJob> jobs) override;
  WriteResult transact(const Decide& decide) override;
  Result<core::Fence> draw_fence() override;

 private:
  /// Indices of sets (below the number of sets) and jobs (from there on), ascending.
  using Part = std::span<const std::size_t>;
  enum class Ended : std::uint8_t {
    done,    // every item of the part has its result
    guilty,  // one of them broke the transaction: nothing is written
    over,    // the connection or the database failed: `failure_` says how
  };

  void run(Part part);
  Ended attempt(Part part);
  Ended attempt_plain(const PlainBatch& batch);
  Ended attempt_mixed(Part part, const PlainBatch& batch);
  PlainBatch plain_of(Part part);
  Ended lock_rows(Part part);
  Ended write_one(std::size_t index);
  Result<WriteResult> write_alone(const WriteSet& set, ConvoRow row);
  Ended run_job(std::size_t index);
  Ended commit_transaction(std::size_t index);
  /// What an error of a statement means for the attempt.
  Ended judge(const Error& error);
  void set_all(Part part, CommitStatus status, const Error& error);
  void set_plain(const PlainBatch& batch, const Rows& rows);
  void finish_alone(std::size_t index);
  Error refusal(const Error& error) const;
  WriteResult transact_open(const Decide& decide);
  Result<core::Fence> draw();

  Connector connector_;
  Connection* db_ = nullptr;
  std::span<const WriteSet> sets_;
  std::span<const UserJob> jobs_;
  BatchResult result_;
  std::set<core::ConvoId> broken_;  // an earlier set of it was not committed
  std::set<std::size_t> plain_;
  std::map<core::ConvoId, ConvoRow> rows_;  // locked by the open transaction
  Error guilt_{};                           // why the last attempt was guilty
  WriteResult failure_{};
  bool sent_ = false;  // the statement that commits
  bool written_ = false;
};

}  // namespace catbird::storage::postgres
