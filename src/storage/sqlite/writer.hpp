// SPDX-License-Identifier: MIT
#pragma once

#include "storage/convo_store.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/reader.hpp"
#include "storage/sqlite/user_writer.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace catbird::storage::sqlite {

/// The only connection that writes and checkpoints.
class SqliteWriter final : public ConvoStore {
 public:
  SqliteWriter(std::unique_ptr<Database> database, Counters& counters,
               std::function<void(std::string)> on_fatal);

  BatchResult commit(std::span<const WriteSet> sets, std::span<const UserJob> jobs) override;
  WriteResult transact(const Decide& decide) override;
  Result<core::Fence> draw_fence() override;
  void idle() override;

 private:
  BatchResult run_batch(std::span<const WriteSet> sets, std::span<const UserJob> jobs);
  WriteResult write_set(const WriteSet& set);
  WriteResult write_set_inside(const WriteSet& set);
  UserResult run_job(const UserJob& job);
  /// Around one set or job: a savepoint when careful, else a note whether it changed anything.
  Result<void> begin_one();
  Result<void> end_one(bool keep);
  Result<void> read_next_position();
  Result<void> begin();
  /// Nothing: durable. Else how the transaction ended and why.
  std::optional<WriteResult> end_transaction();
  Result<core::Fence> next_fence();

  /// The consequences of a trouble: an Error for everyone, and after a fatal one no commit ever.
  Error give_up(Trouble trouble, const char* when);
  void checkpoint();
  void checkpoint_if_above(std::uint64_t bytes);

  std::unique_ptr<Database> db_;
  Counters& counters_;
  std::function<void(std::string)> on_fatal_;
  SqliteUserWriter users_;
  SqliteReader reader_{*db_};  // inside the writer's transactions
  std::uint64_t next_position_ = 1;
  std::uint64_t page_bytes_ = 4096;
  std::uint64_t wal_pages_ = 0;       // as of the last commit
  std::uint64_t wal_pages_kept_ = 0;  // that a checkpoint could not take out: readers use them
  std::int64_t changes_before_ = 0;
  bool careful_ = false;
  bool tainted_ = false;  // what was refused has written something: once more, carefully
  bool dead_ = false;
};

}  // namespace catbird::storage::sqlite
