// SPDX-License-Identifier: MIT
#pragma once

#include "actors/commit_lane.hpp"
#include "actors/executor.hpp"
#include "app/threads.hpp"
#include "base/time.hpp"
#include "obs/metrics.hpp"
#include "storage/cleaner.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace catbird::app {

/// What is kept for how long (DECISIONS 25). Zero: for ever.
struct RetentionPolicy {
  std::chrono::days messages{0};          // MESSAGE_TTL_DAYS
  std::chrono::days requests{0};          // IDEMPOTENCY_TTL_DAYS; P2 wants a day at least
  std::chrono::seconds interval{86'400};  // CLEANUP_INTERVAL_SECS; zero: never
};

/// One pass over everything that has a time limit, in steps that a crash or an error may end at any
/// point: the next pass finds what is left. A value: a step gives the pass as it is afterwards.
class RetentionPass {
 public:
  RetentionPass(const RetentionPolicy& policy, Timestamp now);
  /// Fails with what the store says; the pass is as before.
  Result<RetentionPass> step(storage::Cleaner& cleaner) const;
  bool over() const { return stage_ == Stage::over; }
  /// Bodies of messages, kept answers, Welcomes and their pointers, key packages taken away.
  struct Removed {
    std::uint64_t messages = 0, requests = 0, welcomes = 0, key_packages = 0;
    bool any() const { return messages + requests + welcomes + key_packages != 0; }
    std::string text() const;
  };
  const Removed& removed() const { return removed_; }

 private:
  enum class Stage : std::uint8_t { messages, requests, welcomes, key_packages, over };

  Stage stage_ = Stage::messages;
  std::optional<Timestamp> messages_before_;
  std::optional<Timestamp> requests_before_;
  Timestamp welcomes_before_;
  Timestamp now_;
  storage::RowHandle after_ = 0;
  Removed removed_;
};

/// Runs a pass every interval while the server serves: as jobs of the lane, or on a thread and
/// connection of its own where the store has one for it.
class Retention {
 public:
  struct Parts {
    actors::Executor& timers;
    actors::CommitLane& lane;
    const Clock& clock;
    obs::Metrics& metrics;
    std::unique_ptr<storage::Cleaner> own;  // null: the lane's
  };
  /// Everything in `parts`, and this, outlive the last timer. stop() before the store goes.
  Retention(const RetentionPolicy& policy, Parts parts);
  void start();
  void stop();

 private:
  void begin();
  void go();
  void went(const Result<RetentionPass>& pass);
  void again(std::chrono::milliseconds delay);

  RetentionPolicy policy_;
  Parts parts_;
  obs::Gauge& failed_;
  std::unique_ptr<BlockingThread> thread_;
  std::optional<RetentionPass> pass_;
};

}  // namespace catbird::app
