// SPDX-License-Identifier: MIT
#include "storage/sqlite/writer.hpp"

#include "base/mutant.hpp"
#include "storage/rules.hpp"
#include "storage/sqlite/convo_row.hpp"
#include "storage/sqlite/event_writer.hpp"
#include "storage/sqlite/schema.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <set>
#include <utility>

namespace catbird::storage::sqlite {

namespace {

constexpr std::uint64_t wal_bytes_max = 16ULL * 1024 * 1024;         // DECISIONS 24
constexpr std::uint64_t idle_checkpoint_bytes = 1ULL * 1024 * 1024;  // less is not worth two fsyncs

constexpr const char* max_convo = "SELECT max(id) FROM conversation";
constexpr const char* select_taken =
    "SELECT 1 FROM conversation WHERE convo_id=?1 UNION ALL"
    " SELECT 1 FROM conversation WHERE group_id=?2";

WriteResult refused(CommitStatus status, Error error) {
  WriteResult result;
  result.status = status;
  result.error = std::move(error);
  return result;
}

WriteResult fenced() {
  return refused(CommitStatus::fenced, {Errc::retry, "the conversation was written meanwhile"});
}

WriteResult rejected(Error error) { return refused(CommitStatus::rejected, std::move(error)); }

BatchResult all(std::span<const WriteSet> sets, std::span<const UserJob> jobs, CommitStatus status,
                const Error& error) {
  BatchResult result;
  result.sets.assign(sets.size(), refused(status, error));
  result.jobs.assign(jobs.size(), UserResult{status, error, {}});
  return result;
}

bool as_expected(const ConvoRow& row, const WriteSet& set) {
  if (mutant("no_fence")) return true;
  return row.convo == set.convo && row.fence == set.seen && set.seen <= set.fence &&
         row.version == set.version && row.last_seq == set.last_seq && row.epoch == set.epoch;
}

ConvoRow new_convo(const WriteSet& set, RowHandle id) {
  const auto& created = std::get<core::ConvoCreated>(set.events.front());
  ConvoRow row;
  row.id = id;
  row.convo = set.convo;
  row.group_id = created.group_id;
  row.creator = created.creator;
  row.suite = created.suite;
  row.name = created.name;
  row.created_at = created.at;
  row.creation_epoch = created.epoch;
  row.epoch = created.epoch;
  return row;
}

/// The row a write set starts from; nothing if the set is fenced.
Result<std::optional<ConvoRow>> starting_row(Database& database, const WriteSet& set) {
  if (!set.creates) {
    auto row = set.row != 0 ? find_convo(database, set.row) : find_convo(database, set.convo);
    if (row && *row && !as_expected(**row, set)) return std::nullopt;
    return row;
  }
  const auto& group = std::get<core::ConvoCreated>(set.events.front()).group_id;
  Query taken = database.query(select_taken, {set.convo, group});
  auto found = taken.next();
  if (!found) return std::unexpected(found.error());
  if (*found) return std::nullopt;
  auto id = next_id(database, max_convo);
  if (!id) return std::unexpected(id.error());
  return new_convo(set, *id);
}

}  // namespace

SqliteWriter::SqliteWriter(std::unique_ptr<Database> database, Counters& counters,
                           std::function<void(std::string)> on_fatal)
    : db_(std::move(database)), counters_(counters), on_fatal_(std::move(on_fatal)), users_(*db_) {
  if (auto size = db_->ask("PRAGMA page_size"); size) {
    std::from_chars(size->data(), size->data() + size->size(), page_bytes_);
  }
  auto note_pages = [](void* self, sqlite3*, const char*, int pages) {
    static_cast<SqliteWriter*>(self)->wal_pages_ = static_cast<std::uint64_t>(pages);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db_->handle(), note_pages, this);
}

BatchResult SqliteWriter::commit(std::span<const WriteSet> sets, std::span<const UserJob> jobs) {
  if (dead_) {
    return all(sets, jobs, CommitStatus::failed, {Errc::storage_unavailable, "the store is dead"});
  }
  db_->clear_trouble();
  const Rollback rollback(*db_);
  auto begun = begin();
  if (!begun) return all(sets, jobs, CommitStatus::failed, give_up(db_->trouble(), "begin"));

  // Savepoints copy every page they touch, and nearly every batch has nothing to take back: try
  // without them first.
  careful_ = false;
  auto result = run_batch(sets, jobs);
  if (tainted_ && db_->trouble() == Trouble::none) {
    careful_ = true;
    begun = db_->run("ROLLBACK");
    if (begun) begun = begin();
    if (!begun) return all(sets, jobs, CommitStatus::failed, give_up(db_->trouble(), "begin"));
    result = run_batch(sets, jobs);
  }
  if (db_->trouble() != Trouble::none) {
    return all(sets, jobs, CommitStatus::failed, give_up(db_->trouble(), "write"));
  }
  if (auto ended = end_transaction()) return all(sets, jobs, ended->status, ended->error);
  return result;
}

WriteResult SqliteWriter::transact(const Decide& decide) {
  if (dead_) {
    return refused(CommitStatus::failed, {Errc::storage_unavailable, "the store is dead"});
  }
  db_->clear_trouble();
  const Rollback rollback(*db_);
  if (!begin()) return refused(CommitStatus::failed, give_up(db_->trouble(), "begin"));
  careful_ = false;  // whatever is refused ends the whole transaction
  Result<const WriteSet*> set = nullptr;
  if (auto fence = next_fence()) {
    set = decide(reader_, *fence);
  } else {
    set = std::unexpected(fence.error());
  }
  if (db_->trouble() != Trouble::none) {
    return refused(CommitStatus::failed, give_up(db_->trouble(), "decide"));
  }
  if (!set) return refused(CommitStatus::failed, set.error());
  if (*set == nullptr) return {.status = CommitStatus::committed};
  auto result = write_set(**set);
  if (db_->trouble() != Trouble::none) {
    return refused(CommitStatus::failed, give_up(db_->trouble(), "write"));
  }
  if (result.status != CommitStatus::committed) return result;
  if (auto ended = end_transaction()) return *ended;
  return result;
}

Result<void> SqliteWriter::begin() {
  auto begun = db_->run("BEGIN IMMEDIATE");
  return begun ? read_next_position() : begun;
}

std::optional<WriteResult> SqliteWriter::end_transaction() {
  if (auto done = db_->run("COMMIT"); !done) {
    // Out of space means the commit record is not in the WAL. After any other error it may be, and
    // a recovery would find it (reliability.md 0.2): only a new start tells.
    const int code = db_->last_code() & 0xff;
    if (code == SQLITE_FULL || code == SQLITE_BUSY) {
      return refused(CommitStatus::failed, give_up(db_->trouble(), "commit"));
    }
    return refused(CommitStatus::unknown, give_up(Trouble::fatal, "commit"));
  }
  ++counters_.commits;
  checkpoint_if_above(wal_bytes_max);
  return std::nullopt;
}

BatchResult SqliteWriter::run_batch(std::span<const WriteSet> sets, std::span<const UserJob> jobs) {
  BatchResult result;
  result.sets.reserve(sets.size());
  result.jobs.reserve(jobs.size());
  tainted_ = false;
  std::set<core::ConvoId> broken;
  for (const auto& set : sets) {
    auto one = broken.contains(set.convo) ? fenced() : write_set(set);
    if (tainted_ || db_->trouble() != Trouble::none) return result;
    if (one.status != CommitStatus::committed) broken.insert(set.convo);
    result.sets.push_back(std::move(one));
  }
  for (const auto& job : jobs) {
    result.jobs.push_back(run_job(job));
    if (tainted_ || db_->trouble() != Trouble::none) return result;
  }
  return result;
}

WriteResult SqliteWriter::write_set(const WriteSet& set) {
  if (auto sound = check_write_set(set); !sound) return rejected(sound.error());
  if (auto done = begin_one(); !done) return rejected(done.error());
  const auto position = next_position_;
  auto result = write_set_inside(set);
  const bool keep = result.status == CommitStatus::committed;
  if (!keep) next_position_ = position;
  if (auto done = end_one(keep); !done) return rejected(done.error());
  return result;
}

WriteResult SqliteWriter::write_set_inside(const WriteSet& set) {
  auto start = starting_row(*db_, set);
  if (!start) return rejected(start.error());
  if (!*start) return fenced();
  ConvoRow& row = **start;
  const auto first_position = next_position_;
  EventWriter writer(*db_, row, next_position_);
  for (const auto& event : set.events) {
    if (auto done = writer.write(event); !done) return rejected(done.error());
  }
  row.last_seq = set.new_last_seq;
  row.epoch = set.new_epoch;
  row.version = core::Version(set.version.value + 1);
  row.fence = set.fence;
  if (set.creates) {
    if (auto done = insert_convo(*db_, row); !done) {
      return done.error().code == Errc::conflict ? fenced() : rejected(done.error());
    }
  } else {
    auto advanced = update_convo(*db_, row, set);
    if (!advanced) return rejected(advanced.error());
    if (!*advanced) return fenced();
  }
  WriteResult result;
  result.status = CommitStatus::committed;
  result.row = row.id;
  result.first_position = next_position_ > first_position ? first_position : 0;
  return result;
}

UserResult SqliteWriter::run_job(const UserJob& job) {
  if (auto done = begin_one(); !done) return {CommitStatus::rejected, done.error(), {}};
  users_.take_notices();
  auto ran = job.run(users_);
  if (auto done = end_one(ran.has_value()); !done) {
    return {CommitStatus::rejected, done.error(), {}};
  }
  if (!ran) return {CommitStatus::rejected, ran.error(), {}};
  return {CommitStatus::committed, {}, users_.take_notices()};
}

Result<void> SqliteWriter::begin_one() {
  changes_before_ = sqlite3_total_changes64(db_->handle());
  if (!careful_) return {};
  return db_->run("SAVEPOINT one");
}

Result<void> SqliteWriter::end_one(bool keep) {
  // A grave error has rolled the whole transaction back by itself; commit() sees it as trouble.
  if (db_->trouble() != Trouble::none) return {};
  if (!careful_) {
    tainted_ = !keep && sqlite3_total_changes64(db_->handle()) != changes_before_;
    return {};
  }
  if (!keep) {
    if (auto done = db_->run("ROLLBACK TO one"); !done) return done;
  }
  return db_->run("RELEASE one");
}

Result<void> SqliteWriter::read_next_position() {
  auto next = next_log_position(*db_);
  if (!next) return std::unexpected(next.error());
  next_position_ = *next;
  return {};
}

Result<core::Fence> SqliteWriter::draw_fence() {
  if (dead_) return fail(Errc::storage_unavailable, "the store is dead");
  db_->clear_trouble();
  const Rollback rollback(*db_);
  auto done = db_->run("BEGIN IMMEDIATE");
  if (!done) return std::unexpected(give_up(db_->trouble(), "begin"));
  auto fence = next_fence();
  if (fence) done = db_->run("COMMIT");
  if (!fence || !done) return std::unexpected(give_up(db_->trouble(), "fence"));
  return fence;
}

// Drawn for good when the open transaction commits.
Result<core::Fence> SqliteWriter::next_fence() {
  auto text = read_meta(*db_, fence_key);
  if (!text) return std::unexpected(text.error());
  std::uint64_t fence = 0;
  std::from_chars(text->data(), text->data() + text->size(), fence);
  auto done = write_meta(*db_, fence_key, std::to_string(++fence));
  if (!done) return std::unexpected(done.error());
  return core::Fence(fence);
}

Error SqliteWriter::give_up(Trouble trouble, const char* when) {
  const auto text = db_->last_error();
  switch (trouble) {
    case Trouble::full:
      return {Errc::storage_full, "the disk is full"};
    case Trouble::fatal:
      dead_ = true;
      if (on_fatal_) on_fatal_(std::string(when) + ": " + text);
      return {Errc::storage_unavailable, "the store failed"};
    default:
      return {Errc::storage_unavailable, "the store did not answer: " + text};
  }
}

void SqliteWriter::idle() {
  if (!dead_) checkpoint_if_above(idle_checkpoint_bytes);
}

void SqliteWriter::checkpoint_if_above(std::uint64_t bytes) {
  // The WAL starts over by itself once everything in it is in the database and no reader needs
  // it; until then each new checkpoint must be worth its pause.
  if (wal_pages_ < wal_pages_kept_) wal_pages_kept_ = 0;
  counters_.wal_bytes = wal_pages_ * page_bytes_;
  if ((wal_pages_ - wal_pages_kept_) * page_bytes_ > bytes) checkpoint();
}

void SqliteWriter::checkpoint() {
  const auto start = std::chrono::steady_clock::now();
  int in_wal = 0;
  int done = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(db_->handle(), "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &done);
  const auto pause = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - start);
  const auto pause_us = static_cast<std::uint64_t>(pause.count());
  ++counters_.checkpoints;
  counters_.checkpoint_pause_us += pause_us;
  counters_.checkpoint_pause_max_us = std::max(counters_.checkpoint_pause_max_us.load(), pause_us);
  wal_pages_kept_ = wal_pages_;
  if (code == SQLITE_OK || code == SQLITE_BUSY) return;
  db_->clear_trouble();
  (void)db_->error(code);
  // The batch itself is durable in the WAL; but what may be written after this is not known.
  if (db_->trouble() == Trouble::fatal) (void)give_up(db_->trouble(), "checkpoint");
}

}  // namespace catbird::storage::sqlite
