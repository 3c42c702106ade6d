// SPDX-License-Identifier: MIT
#include "actors/commit_lane.hpp"

#include "actors/limits.hpp"
#include "base/check.hpp"
#include "base/mutant.hpp"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace catbird::actors {

namespace {

/// Of the newest transaction in the running mean. A single slow one (a checkpoint, a hiccup of the
/// disk) hardly counts; a database that has become slow is believed after a few.
constexpr std::int64_t pace_share_up = 16;
constexpr std::int64_t pace_share_down = 4;

std::int64_t nanoseconds(Instant instant) { return std::chrono::nanoseconds(instant).count(); }

std::size_t bytes_of(const storage::WriteSet& set) {
  std::size_t bytes = 256;  // row overhead
  for (const auto& event : set.events) {
    if (const auto* row = std::get_if<core::RowAppended>(&event)) bytes += row->bytes->size();
    if (const auto* welcome = std::get_if<core::WelcomeStored>(&event)) {
      bytes += welcome->welcome.bytes->size();
    }
    if (const auto* info = std::get_if<core::GroupInfoStored>(&event)) bytes += info->bytes->size();
  }
  return bytes;
}

storage::WriteResult dropped() {
  storage::WriteResult result;
  result.status = storage::CommitStatus::fenced;
  result.error = {Errc::retry, "the activation ended", std::nullopt, 0};
  return result;
}

}  // namespace

CommitLane::CommitLane(Executor& own, storage::ConvoStore& store, realtime::LogSink& sink,
                       obs::Metrics& metrics)
    : own_(own),
      store_(store),
      sink_(sink),
      transaction_seconds_(metrics.histogram("database_query_duration_seconds",
                                             "Duration of a database operation",
                                             "operation=commit")),
      transactions_(
          metrics.counter("database_queries_total", "Database operations", "operation=commit")),
      writes_(metrics.counter("database_write_sets_total", "Write sets handed to the store")),
      envelope_seconds_(
          metrics.histogram("envelope_write_duration_seconds", "Time to store one message")) {}

bool CommitLane::admits(bool group_change) const {
  const auto waiting = waiting_.load(std::memory_order_relaxed);
  if (waiting < admission_sets_min || mutant("admits_everything")) return true;
  const auto since = open_since_ns_.load(std::memory_order_relaxed);
  if (since != 0 && nanoseconds(own_.now()) - since > nanoseconds(admission_stall_max)) {
    return false;
  }
  const auto wait = static_cast<std::int64_t>(waiting) * pace_ns_.load(std::memory_order_relaxed);
  const auto most = nanoseconds(admission_wait_max);
  return wait <= (group_change ? most + most / 10 : most);
}

/// Only whole transactions tell what a write costs: in a small one it bears the cost alone.
void CommitLane::learn_pace(Instant began, std::size_t writes, bool whole) {
  open_since_ns_ = 0;
  if (!whole || writes == 0) return;
  const auto took =
      (nanoseconds(own_.now()) - nanoseconds(began)) / static_cast<std::int64_t>(writes);
  const auto before = pace_ns_.load(std::memory_order_relaxed);
  const auto share = took > before ? pace_share_up : pace_share_down;
  pace_ns_ = before == 0 ? took : before + (took - before) / share;
}

void CommitLane::submit(SetEntry entry) {
  const std::lock_guard lock(mutex_);
  ++waiting_;
  sets_.push_back(std::move(entry));
  wake_locked();
}

void CommitLane::submit(JobEntry entry) {
  const std::lock_guard lock(mutex_);
  jobs_.push_back(std::move(entry));
  wake_locked();
}

void CommitLane::submit(DirectEntry entry) {
  const std::lock_guard lock(mutex_);
  directs_.push_back(std::move(entry));
  wake_locked();
}

void CommitLane::draw_fence(Executor& home,
                            std::move_only_function<void(Result<core::Fence>)> done) {
  own_.post([this, &home, done = std::move(done)]() mutable {
    home.post([fence = store_.draw_fence(), done = std::move(done)]() mutable {
      done(std::move(fence));
    });
  });
}

void CommitLane::wake_locked() {
  if (scheduled_) return;
  scheduled_ = true;
  own_.post([this] { run(); });
}

CommitLane::Batch CommitLane::take_locked() {
  Batch batch;
  std::size_t bytes = 0;
  while (!sets_.empty() && batch.sets.size() < lane_batch_sets_max) {
    const auto size = bytes_of(sets_.front().set);
    if (!batch.sets.empty() && bytes + size > lane_batch_bytes_max) break;
    bytes += size;
    batch.sets.push_back(std::move(sets_.front()));
    sets_.pop_front();
  }
  while (!jobs_.empty() && batch.jobs.size() < lane_batch_sets_max) {
    batch.jobs.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
  }
  // One each time, so that neither kind waits for all of the other.
  if (!directs_.empty()) {
    batch.direct = std::move(directs_.front());
    directs_.pop_front();
  }
  waiting_ -= batch.sets.size();
  return batch;
}

void CommitLane::run() {
  const auto began = own_.now();
  open_since_ns_ = nanoseconds(began);
  Batch batch;
  bool whole = false;
  {
    const std::lock_guard lock(mutex_);
    batch = take_locked();
    whole = !sets_.empty();
  }
  const auto writes = batch.sets.size();
  write(batch);
  learn_pace(began, writes, whole);
  if (batch.direct) transact(std::move(*batch.direct));
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    more = !sets_.empty() || !jobs_.empty() || !directs_.empty();
    scheduled_ = more;
  }
  if (more) {
    own_.post([this] { run(); });
  } else {
    store_.idle();
  }
}

void CommitLane::write(Batch& batch) {
  const auto began = std::chrono::steady_clock::now();
  std::vector<storage::WriteSet> sets;
  std::vector<std::size_t> sent;  // index in batch.sets of each set that goes to the store
  std::vector<storage::WriteResult> results(batch.sets.size());
  for (std::size_t i = 0; i < batch.sets.size(); ++i) {
    if (!batch.sets[i].activation->alive.load(std::memory_order_acquire) &&
        !mutant("dead_sets_written")) {
      results[i] = dropped();
      continue;
    }
    sent.push_back(i);
    sets.push_back(std::move(batch.sets[i].set));
  }
  std::vector<storage::UserJob> jobs;
  jobs.reserve(batch.jobs.size());
  for (auto& job : batch.jobs) jobs.push_back(job.job);

  std::vector<storage::UserResult> job_results;
  if (!sets.empty() || !jobs.empty()) {
    auto outcome = store_.commit(sets, jobs);
    CATBIRD_CHECK(outcome.sets.size() == sets.size() && outcome.jobs.size() == jobs.size());
    publish(sets, outcome.sets, outcome.jobs);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (outcome.sets[i].status != storage::CommitStatus::committed) {
        batch.sets[sent[i]].activation->alive.store(false, std::memory_order_release);
      }
      results[sent[i]] = std::move(outcome.sets[i]);
    }
    job_results = std::move(outcome.jobs);
    count_transaction(began, sets.size(), jobs.size());
  }
  settle(batch, std::move(results), std::move(job_results));
}

void CommitLane::count_transaction(std::chrono::steady_clock::time_point began, std::size_t sets,
                                   std::size_t jobs) {
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  transaction_seconds_.observe(took.count());
  if (sets > 0) envelope_seconds_.observe(took.count());
  transactions_.add();
  writes_.add(static_cast<double>(sets + jobs));
}

void CommitLane::transact(DirectEntry entry) {
  const auto began = std::chrono::steady_clock::now();
  std::optional<storage::WriteSet> set;
  auto result = store_.transact([&](storage::Reader& reader, core::Fence fence) {
    auto decided = entry.decide(reader, fence);
    if (decided) set = std::move(*decided);
    using Given = Result<const storage::WriteSet*>;
    if (!decided) return Given(std::unexpected(std::move(decided.error())));
    return Given(set ? &*set : nullptr);
  });
  if (set) {
    publish({&*set, 1}, {&result, 1}, {});
    count_transaction(began, 1, 0);
  }
  entry.home->post([done = std::move(entry.done), result = std::move(result)]() mutable {
    done(std::move(result));
  });
}

namespace {

bool is_in_log_order(const std::vector<realtime::LogEvent>& events) {
  std::uint64_t last = 0;
  for (const auto& event : events) {
    const auto position = realtime::position_of(event);
    if (!position) continue;
    if (*position < last) return false;
    last = *position;
  }
  return true;
}

// A store may write a batch in another order than it was given, conversation by conversation; what
// listens goes by position and would take an earlier one for seen. A roster change stays behind
// what came before it in its conversation.
void put_in_log_order(std::vector<realtime::LogEvent>& events) {
  if (is_in_log_order(events)) return;
  std::vector<std::pair<std::uint64_t, std::size_t>> order;  // where it belongs, where it is
  order.reserve(events.size());
  std::unordered_map<std::string_view, std::uint64_t> last;  // by conversation
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto& place = last[realtime::convo_of(events[i]).value];
    place = realtime::position_of(events[i]).value_or(place);
    order.emplace_back(place, i);
  }
  std::ranges::sort(order);
  std::vector<realtime::LogEvent> sorted;
  sorted.reserve(events.size());
  for (const auto& [place, i] : order) sorted.push_back(std::move(events[i]));
  events = std::move(sorted);
}

void add_live(const storage::WriteSet& set, std::uint64_t position,
              std::vector<realtime::LogEvent>& live) {
  for (const auto& event : set.events) {
    if (const auto* row = std::get_if<core::RowAppended>(&event)) {
      live.emplace_back(realtime::LiveRow{.convo = set.convo,
                                          .position = position++,
                                          .seq = row->seq,
                                          .epoch = row->epoch,
                                          .kind = row->kind,
                                          .id = row->id,
                                          .at = row->at,
                                          .bytes = row->bytes});
    } else if (const auto* noted = std::get_if<core::Noted>(&event)) {
      live.emplace_back(realtime::LiveNotice{set.convo, position++, *noted});
    } else if (const auto* added = std::get_if<core::MemberAdded>(&event)) {
      live.emplace_back(realtime::RosterChange{set.convo, added->user, true, added->join_seq});
    } else if (const auto* left = std::get_if<core::MemberLeft>(&event)) {
      live.emplace_back(realtime::RosterChange{set.convo, left->user, false, left->left_seq});
    }
  }
}

}  // namespace

void CommitLane::publish(std::span<const storage::WriteSet> sets,
                         std::span<const storage::WriteResult> results,
                         std::span<const storage::UserResult> jobs) {
  std::vector<realtime::LogEvent> live;
  bool unsure = false;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (results[i].status == storage::CommitStatus::unknown) unsure = true;
    if (results[i].status != storage::CommitStatus::committed && !mutant("publishes_undurable")) {
      continue;
    }
    add_live(sets[i], results[i].first_position, live);
  }
  for (const auto& job : jobs) {
    if (job.status == storage::CommitStatus::unknown) unsure = true;
    for (const auto& one : job.notices) {
      live.emplace_back(realtime::LiveNotice{one.convo, one.position, one.noted});
    }
  }
  put_in_log_order(live);
  if (!live.empty()) sink_.publish(std::move(live));
  if (unsure && !mutant("resync_forgotten")) sink_.resync();
}

void CommitLane::settle(Batch& batch, std::vector<storage::WriteResult> sets,
                        std::vector<storage::UserResult> jobs) {
  // One post per home and batch: a wake-up costs more than a completion. In the order first met,
  // so that a simulated run does not depend on addresses.
  std::vector<std::pair<Executor*, std::vector<Task>>> homes;
  auto tasks_of = [&homes](Executor* home) -> std::vector<Task>& {
    for (auto& [known, tasks] : homes) {
      if (known == home) return tasks;
    }
    return homes.emplace_back(home, std::vector<Task>{}).second;
  };
  auto queue = [&tasks_of](auto& entries, auto& results) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      tasks_of(entries[i].home)
          .emplace_back([done = std::move(entries[i].done),
                         result = std::move(results[i])]() mutable { done(std::move(result)); });
    }
  };
  queue(batch.sets, sets);
  queue(batch.jobs, jobs);
  for (auto& [home, tasks] : homes) {
    home->post([mine = std::move(tasks)]() mutable {
      for (auto& task : mine) task();
    });
  }
}

}  // namespace catbird::actors
