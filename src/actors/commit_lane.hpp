// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "obs/metrics.hpp"
#include "realtime/log_sink.hpp"
#include "storage/convo_store.hpp"
#include "storage/reader.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

namespace catbird::actors {

/// One life of an actor in memory. The lane ends it the moment one of its write sets is not
/// committed, so that nothing decided on top of it can follow. Shared by the actor and the lane,
/// which outlive each other in either order.
struct Activation {
  std::atomic<bool> alive{true};
};

/// Owns the only write connection of its store; at most one transaction is in flight. Whatever is
/// pending when the previous transaction returns goes into the next one (group commit without a
/// timer). submit() may be called from any thread; `done` runs on `home`, in submission order per
/// home.
class CommitLane {
 public:
  struct SetEntry {
    storage::WriteSet set;
    std::shared_ptr<Activation> activation;
    Executor* home = nullptr;
    std::move_only_function<void(storage::WriteResult)> done;
  };
  struct JobEntry {
    storage::UserJob job;
    Executor* home = nullptr;
    std::move_only_function<void(storage::UserResult)> done;
  };

  /// A request of the direct gateway: a transaction of its own. `decide` runs on the lane's thread,
  /// at most once; the set that it gives is published when durable.
  struct DirectEntry {
    std::move_only_function<Result<std::optional<storage::WriteSet>>(storage::Reader&, core::Fence)>
        decide;
    Executor* home = nullptr;
    std::move_only_function<void(storage::WriteResult)> done;
  };

  /// `own` runs the blocking transactions. All references must outlive the lane's last task.
  CommitLane(Executor& own, storage::ConvoStore& store, realtime::LogSink& sink,
             obs::Metrics& metrics);

  /// False if one more write would wait too long (admission_wait_max), judging by how long writes
  /// took lately and by how long the open transaction takes already. From any thread; cheap.
  bool admits(bool group_change) const;
  void submit(SetEntry entry);
  void submit(JobEntry entry);
  void submit(DirectEntry entry);
  /// Draws a new fence on the lane's thread (only when the process lost its own). It may overtake
  /// write sets that wait for a later transaction: each is compared with its own row all the same.
  void draw_fence(Executor& home, std::move_only_function<void(Result<core::Fence>)> done);

 private:
  struct Batch {
    std::vector<SetEntry> sets;
    std::vector<JobEntry> jobs;
    std::optional<DirectEntry> direct;
  };

  void wake_locked();
  void run();
  Batch take_locked();
  void write(Batch& batch);
  void transact(DirectEntry entry);
  void learn_pace(Instant began, std::size_t writes, bool whole);
  void count_transaction(std::chrono::steady_clock::time_point began, std::size_t sets,
                         std::size_t jobs);
  void publish(std::span<const storage::WriteSet> sets,
               std::span<const storage::WriteResult> results,
               std::span<const storage::UserResult> jobs);
  static void settle(Batch& batch, std::vector<storage::WriteResult> sets,
                     std::vector<storage::UserResult> jobs);

  Executor& own_;
  storage::ConvoStore& store_;
  realtime::LogSink& sink_;
  obs::Histogram& transaction_seconds_;
  obs::Counter& transactions_;
  obs::Counter& writes_;
  obs::Histogram& envelope_seconds_;  // the predecessor's name for storing a message

  // For admits(): how many writes wait, and what one of them costs in a whole transaction.
  std::atomic<std::size_t> waiting_{0};
  std::atomic<std::int64_t> pace_ns_{0};
  std::atomic<std::int64_t> open_since_ns_{0};  // of the transaction under way; 0: none

  std::mutex mutex_;
  std::deque<SetEntry> sets_;
  std::deque<JobEntry> jobs_;
  std::deque<DirectEntry> directs_;
  bool scheduled_ = false;
};

/// The lane of a conversation: one of `lanes`, or `only` if there are none. Other bits of the hash
/// than those that choose its worker.
inline CommitLane& lane_of(CommitLane& only, std::span<CommitLane* const> lanes,
                           const core::ConvoId& convo) {
  if (lanes.empty()) return only;
  return *lanes[(std::hash<std::string>{}(convo.value) >> 16U) % lanes.size()];
}

}  // namespace catbird::actors
