// SPDX-License-Identifier: MIT
#pragma once

#include "actors/commit_lane.hpp"
#include "actors/confirmer.hpp"
#include "actors/executor.hpp"
#include "actors/limits.hpp"
#include "actors/readers.hpp"
#include "base/time.hpp"
#include "core/limits.hpp"
#include "core/types.hpp"
#include "obs/metrics.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

namespace catbird::actors {

/// The actor metrics of the predecessor (docs/operations.md), counted for real.
struct ActorMetrics {
  explicit ActorMetrics(obs::Metrics& metrics);

  obs::Metrics& registry;
  obs::Counter& spawns;
  obs::Counter& stops_idle;
  obs::Counter& stops_absent;
  obs::Counter& stops_memory;
  obs::Counter& restarts_fenced;
  obs::Counter& restarts_rejected;
  obs::Counter& restarts_failed;
  obs::Counter& restarts_unknown;
  obs::Counter& restarts_load;
  obs::Gauge& mailbox_depth;
  obs::Counter& mailbox_full;
  obs::Counter& drops_deadline;
  obs::Counter& drops_overload;
  obs::Counter& quarantined;
  obs::Counter& audit_mismatches;
  obs::Counter& epoch_conflicts;
  obs::Histogram& epoch_increment_seconds;
  /// By message_type, in the order of core::Command::what, then GetAccess.
  std::array<obs::Histogram*, std::variant_size_v<decltype(core::Command::what)> + 1>
      message_seconds{};
};

/// What every actor of a process uses. Built by app/ (or a simulator); outlives all actors.
struct Engine {
  CommitLane& lane;  // the first one; see lane_of
  Readers& readers;
  const Clock& clock;
  ActorMetrics& metrics;
  std::atomic<std::uint64_t> fence;           // this process's; replaced only when it was lost
  std::atomic<std::size_t> mailbox_bytes{0};  // over all mailboxes
  std::atomic<std::size_t> letters{0};        // waiting or unanswered, over all actors
  std::atomic<std::size_t> active_actors{0};
  std::chrono::seconds idle_timeout{3600};                        // ACTOR_IDLE_TIMEOUT_SECONDS
  std::size_t actor_bytes_max = std::size_t{1024} * 1024 * 1024;  // over all workers
  bool convo_labels = false;                                      // METRICS_CONVO_LABELS
  // Fixed but for the simulator, which makes them tiny.
  std::size_t mailbox_letters_max = actors::mailbox_letters_max;
  std::size_t key_window_max = core::key_window_max;  // keys that an activation loads
  // With more than one lane (DATABASE_LANES): all of them. A conversation always uses the same one.
  std::vector<CommitLane*> lanes{};
  /// False where another process may write: answers from memory are then confirmed.
  std::function<bool()> alone = [] { return true; };
  /// Hands free memory back to the system, on a reader thread; empty: nothing does.
  std::function<void()> give_memory_back{};
  Confirmer confirmer{readers};

  CommitLane& lane_of(const core::ConvoId& convo) const {
    return actors::lane_of(lane, lanes, convo);
  }
};

}  // namespace catbird::actors
