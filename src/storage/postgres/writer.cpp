// SPDX-License-Identifier: MIT
#include "storage/postgres/writer.hpp"

#include "obs/log.hpp"
#include "storage/postgres/event_writer.hpp"
#include "storage/postgres/reader.hpp"
#include "storage/rules.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace catbird::storage::postgres {

namespace {

constexpr int deadlock_tries = 3;

constexpr const char* begin = "BEGIN";
constexpr const char* select_taken =
    "SELECT FROM conversation WHERE convo_id = $1::text UNION ALL"
    " SELECT FROM conversation WHERE group_id = $2::bytea";
// Grows over a failover that lost the newest values: the timeline stands above them.
constexpr const char* next_fence =
    "SELECT nextval('fence') + (('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))"
    "::bit(32)::bigint << 40)";

WriteResult refused(CommitStatus status, Error error) {
  WriteResult result;
  result.status = status;
  result.error = std::move(error);
  return result;
}

WriteResult fenced() {
  return refused(CommitStatus::fenced, {Errc::retry, "the conversation was written meanwhile"});
}

ConvoRow new_convo(const WriteSet& set) {
  const auto& created = std::get<core::ConvoCreated>(set.events.front());
  ConvoRow row;
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

bool as_expected(const ConvoRow& row, const WriteSet& set) {
  return row.fence == set.seen && set.seen <= set.fence && row.version == set.version &&
         row.last_seq == set.last_seq && row.epoch == set.epoch &&
         (set.row == 0 || set.row == row.id);
}

}  // namespace

BatchResult PostgresWriter::commit(std::span<const WriteSet> sets, std::span<const UserJob> jobs) {
  sets_ = sets;
  jobs_ = jobs;
  broken_.clear();
  result_ = {};
  result_.sets.resize(sets.size());
  result_.jobs.resize(jobs.size());
  std::vector<std::size_t> part;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (auto sound = check_write_set(sets[i]); broken_.contains(sets[i].convo)) {
      result_.sets[i] = fenced();
    } else if (!sound) {
      result_.sets[i] = refused(CommitStatus::rejected, sound.error());
      broken_.insert(sets[i].convo);
    } else {
      part.push_back(i);
    }
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) part.push_back(sets.size() + i);
  if (part.empty()) return std::move(result_);
  auto connection = connector_.get();
  if (!connection) {
    set_all(part, CommitStatus::failed, connection.error());
    return std::move(result_);
  }
  db_ = *connection;
  run(part);
  return std::move(result_);
}

void PostgresWriter::run(Part part) {
  for (int tries = 0; tries < deadlock_tries; ++tries) {
    if (db_->lost()) {
      return set_all(part, CommitStatus::failed,
                     {Errc::storage_unavailable, "the database is away"});
    }
    const auto before = broken_;
    guilt_ = {};
    const auto ended = attempt(part);
    if (ended == Ended::done) return;
    broken_ = before;
    db_->roll_back();
    if (ended == Ended::over) return set_all(part, failure_.status, failure_.error);
    if (guilt_.code != Errc::retry || part.size() == 1) break;
  }
  if (part.size() == 1) return finish_alone(part.front());
  ++db_->counters().splits;
  run(part.first(part.size() / 2));
  run(part.subspan(part.size() / 2));
}

PlainBatch PostgresWriter::plain_of(Part part) {
  std::set<core::ConvoId> mixed;
  for (const auto i : part) {
    if (i < sets_.size() && !is_plain(sets_[i])) mixed.insert(sets_[i].convo);
  }
  PlainBatch batch;
  plain_.clear();
  for (const auto i : part) {
    if (i >= sets_.size() || mixed.contains(sets_[i].convo)) continue;
    plain_.insert(i);
    if (broken_.contains(sets_[i].convo) || !batch.add(sets_[i], i)) {
      result_.sets[i] = fenced();
      broken_.insert(sets_[i].convo);
    }
  }
  return batch;
}

PostgresWriter::Ended PostgresWriter::attempt(Part part) {
  sent_ = false;
  const auto batch = plain_of(part);
  if (plain_.size() != part.size()) return attempt_mixed(part, batch);
  return batch.empty() ? Ended::done : attempt_plain(batch);
}

PostgresWriter::Ended PostgresWriter::attempt_plain(const PlainBatch& batch) {
  const auto call = batch.call();
  sent_ = true;
  auto rows = db_->query(call.sql, call.params);
  if (!rows) return judge(rows.error());
  ++db_->counters().commits;
  set_plain(batch, *rows);
  return Ended::done;
}

void PostgresWriter::set_plain(const PlainBatch& batch, const Rows& rows) {
  for (const auto& one : batch.outcome(rows)) {
    if (!one.advanced) {
      result_.sets[one.index] = fenced();
      broken_.insert(sets_[one.index].convo);
      continue;
    }
    WriteResult result;
    result.status = CommitStatus::committed;
    result.row = one.row;
    result.first_position = one.first_position;
    result_.sets[one.index] = std::move(result);
  }
}

PostgresWriter::Ended PostgresWriter::attempt_mixed(Part part, const PlainBatch& batch) {
  if (auto begun = db_->query(begin); !begun) return judge(begun.error());
  if (auto ended = lock_rows(part); ended != Ended::done) return ended;
  if (!batch.empty()) {
    const auto call = batch.call();
    auto rows = db_->query(call.sql, call.params);
    if (!rows) return judge(rows.error());
    set_plain(batch, *rows);
  }
  for (const auto i : part) {
    if (plain_.contains(i)) continue;
    const auto ended = i < sets_.size() ? write_one(i) : run_job(i);
    if (ended != Ended::done) return ended;
  }
  return commit_transaction(part.front());
}

// Conversation rows first, in the order of their handles, then the log: as every writer does, so
// that two of them wait for one another and never in a circle.
PostgresWriter::Ended PostgresWriter::lock_rows(Part part) {
  rows_.clear();
  std::set<core::ConvoId> names;
  for (const auto i : part) {
    if (i < sets_.size()) names.insert(sets_[i].convo);
  }
  if (!names.empty()) {
    Column column(Column::Type::text);
    for (const auto& name : names) column.add(name);
    auto rows = lock_convos(*db_, column);
    if (!rows) return judge(rows.error());
    rows_ = std::move(*rows);
  }
  auto locked = db_->query(lock_log);
  return locked ? Ended::done : judge(locked.error());
}

PostgresWriter::Ended PostgresWriter::write_one(std::size_t index) {
  const auto& set = sets_[index];
  auto& result = result_.sets[index];
  const auto found = rows_.find(set.convo);
  const bool stands =
      found != rows_.end() ? !set.creates && as_expected(found->second, set) : set.creates;
  if (broken_.contains(set.convo) || !stands) {
    result = fenced();
    broken_.insert(set.convo);
    return Ended::done;
  }
  auto written = write_alone(set, set.creates ? new_convo(set) : found->second);
  if (!written) return judge(written.error());
  if (written->status != CommitStatus::committed) broken_.insert(set.convo);
  result = std::move(*written);
  return Ended::done;
}

/// An error has broken the transaction; a result has left it whole.
Result<WriteResult> PostgresWriter::write_alone(const WriteSet& set, ConvoRow row) {
  if (set.creates) {
    auto taken = db_->query(select_taken, {set.convo, row.group_id});
    if (!taken) return std::unexpected(taken.error());
    if (!taken->empty()) return fenced();
  }
  EventWriter writer(*db_, set, row);
  auto position = writer.write();
  if (!position) {
    if (writer.sent() || db_->lost() || db_->broken()) return std::unexpected(position.error());
    return refused(CommitStatus::rejected, position.error());
  }
  WriteResult result;
  result.status = CommitStatus::committed;
  result.row = row.id;
  result.first_position = *position;
  rows_.insert_or_assign(set.convo, std::move(row));
  return result;
}

PostgresWriter::Ended PostgresWriter::run_job(std::size_t index) {
  auto& result = result_.jobs[index - sets_.size()];
  written_ = false;
  PostgresUserWriter users(*db_, written_);
  auto ran = jobs_[index - sets_.size()].run(users);
  if (ran) {
    result = {CommitStatus::committed, {}, users.take_notices()};
    return Ended::done;
  }
  if (written_ || db_->lost() || db_->broken()) return judge(ran.error());
  result = {CommitStatus::rejected, ran.error(), {}};
  return Ended::done;
}

PostgresWriter::Ended PostgresWriter::commit_transaction(std::size_t) {
  // PostgreSQL answers COMMIT in a broken transaction with a friendly ROLLBACK. A job that hid the
  // failure of a statement must not make it a success.
  if (db_->broken()) return judge({Errc::internal, "a statement failed and nobody said so"});
  sent_ = true;
  if (auto done = db_->execute("COMMIT"); !done) return judge(done.error());
  ++db_->counters().commits;
  return Ended::done;
}

PostgresWriter::Ended PostgresWriter::judge(const Error& error) {
  if (db_->lost()) {
    // Sent and not answered: it may have been done. Not sent: the server has rolled it back.
    failure_ = refused(sent_ ? CommitStatus::unknown : CommitStatus::failed, error);
    return Ended::over;
  }
  if (error.code == Errc::storage_unavailable || error.code == Errc::storage_full) {
    failure_ = refused(CommitStatus::failed, error);
    return Ended::over;
  }
  guilt_ = refusal(error);
  return Ended::guilty;
}

/// What the caller of a refused set or job is told.
Error PostgresWriter::refusal(const Error& error) const {
  if (error.code != Errc::conflict) return error;
  const auto& constraint = db_->violated();
  if (constraint == "message_id") return {Errc::conflict, "this message id is taken"};
  if (constraint == "idempotency_key") return {Errc::conflict, "this request key is taken"};
  if (constraint.starts_with("conversation_")) return {Errc::convo_exists, constraint};
  // A fork or a number used twice is no client's doing.
  return {Errc::internal, "constraint " + constraint};
}

void PostgresWriter::finish_alone(std::size_t index) {
  if (guilt_.code == Errc::retry) {
    const std::size_t one[] = {index};
    return set_all(one, CommitStatus::failed, {Errc::storage_unavailable, "deadlock"});
  }
  if (index >= sets_.size()) {
    result_.jobs[index - sets_.size()] = {CommitStatus::rejected, guilt_, {}};
    return;
  }
  const auto& set = sets_[index];
  // Created by someone else between our look and our insert.
  const bool lost_race = set.creates && guilt_.code == Errc::convo_exists;
  result_.sets[index] = lost_race ? fenced() : refused(CommitStatus::rejected, guilt_);
  broken_.insert(set.convo);
}

void PostgresWriter::set_all(Part part, CommitStatus status, const Error& error) {
  for (const auto i : part) {
    if (i < sets_.size()) {
      result_.sets[i] = broken_.contains(sets_[i].convo) ? fenced() : refused(status, error);
    } else {
      result_.jobs[i - sets_.size()] = {status, error, {}};
    }
  }
}

WriteResult PostgresWriter::transact(const Decide& decide) {
  auto connection = connector_.get();
  if (!connection) return refused(CommitStatus::failed, connection.error());
  db_ = *connection;
  sent_ = false;
  auto result = transact_open(decide);
  db_->roll_back();
  return result;
}

WriteResult PostgresWriter::transact_open(const Decide& decide) {
  auto give_up = [this](const Error& error) {
    if (judge(error) == Ended::over) return failure_;
    if (guilt_.code == Errc::convo_exists) return fenced();
    const auto status = guilt_.code == Errc::retry ? CommitStatus::failed : CommitStatus::rejected;
    return refused(status, guilt_);
  };
  if (auto begun = db_->query(begin); !begun) return give_up(begun.error());
  auto fence = draw();
  if (!fence) return give_up(fence.error());
  PostgresReader reader(*db_);
  auto decided = decide(reader, *fence);
  if (db_->lost() || db_->broken()) {
    return give_up(decided ? Error{Errc::storage_unavailable, "the transaction failed"}
                           : decided.error());
  }
  if (!decided) return refused(CommitStatus::failed, decided.error());
  if (*decided == nullptr) return {.status = CommitStatus::committed};
  const auto& set = **decided;
  if (auto sound = check_write_set(set); !sound) {
    return refused(CommitStatus::rejected, sound.error());
  }
  sets_ = std::span(&set, 1);
  jobs_ = {};
  broken_.clear();
  result_ = {};
  result_.sets.resize(1);
  const std::size_t only[] = {0};
  auto ended = lock_rows(only);
  if (ended == Ended::done) ended = write_one(0);
  if (ended == Ended::done && result_.sets[0].status == CommitStatus::committed) {
    ended = commit_transaction(0);
  }
  if (ended == Ended::done) return result_.sets[0];
  if (ended == Ended::over) return failure_;
  if (guilt_.code == Errc::convo_exists) return fenced();
  return refused(guilt_.code == Errc::retry ? CommitStatus::failed : CommitStatus::rejected,
                 guilt_);
}

Result<core::Fence> PostgresWriter::draw() {
  auto rows = db_->query(next_fence);
  if (!rows) return std::unexpected(rows.error());
  return core::Fence(rows->number(0, 0));
}

Result<core::Fence> PostgresWriter::draw_fence() {
  auto connection = connector_.get();
  if (!connection) return std::unexpected(connection.error());
  db_ = *connection;
  return draw();
}

}  // namespace catbird::storage::postgres
