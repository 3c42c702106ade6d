// SPDX-License-Identifier: MIT
#include "crash/life.hpp"

#include "actors/commit_lane.hpp"
#include "base/check.hpp"
#include "obs/metrics.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "support/manual_executor.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

namespace catbird::crash {

namespace {

using storage::CommitStatus;

std::string path_in(const std::string& folder) { return folder + "/" + database_name; }

/// Replies leave the process the moment the lane gives them.
class AtOnce final : public actors::Executor {
 public:
  void post(actors::Task task) override { task(); }
  void post_after(std::chrono::milliseconds, actors::Task) override { CATBIRD_CHECK(false); }
  actors::Instant now() const override { return actors::Instant(0); }
};

/// Stands for the network: whatever is said is a promise, be it a reply or a row on a stream (L5).
class Promiser final : public realtime::LogSink {
 public:
  explicit Promiser(Recording& recording) : recording_(recording) {}
  void batch(std::size_t number) { number_ = number; }
  void promise() { recording_.mark(Mark::Kind::acknowledged, number_); }
  void answer(CommitStatus status) {
    CATBIRD_CHECK(status != CommitStatus::failed && status != CommitStatus::unknown);
    promise();
  }
  void publish(std::vector<realtime::LogEvent>) override { promise(); }
  void resync() override {}

 private:
  Recording& recording_;
  std::size_t number_ = 0;
};

/// The planted defect: answers, then writes.
class EarlyStore final : public storage::ConvoStore {
 public:
  EarlyStore(storage::ConvoStore& real, Promiser& promiser) : real_(real), promiser_(promiser) {}
  storage::BatchResult commit(std::span<const storage::WriteSet> sets,
                              std::span<const storage::UserJob> jobs) override {
    promiser_.promise();
    return real_.commit(sets, jobs);
  }
  storage::WriteResult transact(const storage::Decide& decide) override {
    promiser_.promise();
    return real_.transact(decide);
  }
  Result<core::Fence> draw_fence() override { return real_.draw_fence(); }
  void idle() override { real_.idle(); }

 private:
  storage::ConvoStore& real_;
  Promiser& promiser_;
};

/// The part of a process above the store.
class Process {
 public:
  Process(History& history, Recording& recording, storage::ConvoStore& store, Promiser& promiser,
          core::Fence fence)
      : history_(history),
        recording_(recording),
        promiser_(promiser),
        fence_(fence),
        lane_(own_, store, promiser, *metrics_) {}

  /// The next batch through the lane, as one transaction.
  void run(Shape shape) {
    const auto number = history_.batches() + 1;
    promiser_.batch(number);
    if (shape == Shape::one_set) {
      recording_.mark(Mark::Kind::started, number);
      submit_direct();
    } else {
      const auto& batch = history_.add(fence_, shape);
      recording_.mark(Mark::Kind::started, number);
      submit(batch);
    }
    test::drain({&own_});
  }

 private:
  void submit(const Batch& batch) {
    for (const auto& set : batch.sets) {
      // An activation each: what a lost one takes with it is not the store's business.
      lane_.submit(actors::CommitLane::SetEntry{
          set, std::make_shared<actors::Activation>(), &at_once_,
          [this](const storage::WriteResult& result) { promiser_.answer(result.status); }});
    }
    for (const auto& job : batch.jobs) {
      lane_.submit(actors::CommitLane::JobEntry{
          job, &at_once_,
          [this](const storage::UserResult& result) { promiser_.answer(result.status); }});
    }
  }

  void submit_direct() {
    using Set = std::optional<storage::WriteSet>;
    drawn_ = {};
    auto decide = [this](storage::Reader&, core::Fence fence) -> Result<Set> {
      const auto& batch = history_.add(fence, Shape::one_set);
      if (batch.sets.empty()) return Set();
      drawn_ = fence;
      return Set(batch.sets.front());
    };
    lane_.submit(actors::CommitLane::DirectEntry{
        std::move(decide), &at_once_, [this](const storage::WriteResult& result) {
          promiser_.answer(result.status);
          // A transaction that wrote nothing, or was refused, has used no fence up.
          if (result.status == CommitStatus::committed && drawn_.value != 0) {
            recording_.mark(Mark::Kind::fence, drawn_.value);
          }
        }});
  }

  History& history_;
  Recording& recording_;
  Promiser& promiser_;
  core::Fence fence_;
  core::Fence drawn_;
  AtOnce at_once_;
  test::ManualTime time_;
  test::ManualExecutor own_{time_};
  std::unique_ptr<obs::Metrics> metrics_ = obs::Metrics::create();
  actors::CommitLane lane_;
};

}  // namespace

std::string live(History& history, const LifeOptions& options, Recording& recording) {
  const bool lies = options.plant == Plant::no_fsync;
  const RecordingVfs vfs(recording, lies ? Disk::lies : Disk::honest);
  auto opened = storage::open_sqlite({.path = path_in(options.folder), .on_fatal = {}});
  CATBIRD_CHECK(opened.has_value());
  auto& stores = **opened;
  recording.mark(Mark::Kind::opened);
  const auto fence = stores.writer().draw_fence();
  CATBIRD_CHECK(fence.has_value());
  recording.mark(Mark::Kind::fence, fence->value);

  Promiser promiser(recording);
  EarlyStore early(stores.writer(), promiser);
  const bool is_early = options.plant == Plant::early_reply;
  auto& store = is_early ? static_cast<storage::ConvoStore&>(early) : stores.writer();
  Process process(history, recording, store, promiser, *fence);
  for (std::size_t i = 0; i < options.batches; ++i) {
    const auto direct = i % 4 == 3 ? Shape::one_job : Shape::one_set;
    process.run(options.mode == Mode::direct ? direct : Shape::batch);
  }
  return stores.incarnation();
}

Promises promises_at(const Recording& recording, std::size_t at, Promises earlier) {
  auto promises = std::move(earlier);
  for (const auto& mark : recording.marks) {
    if (mark.at > at) break;
    switch (mark.kind) {
      case Mark::Kind::opened:
        promises.opened = true;
        break;
      case Mark::Kind::fence:
        promises.fence = std::max(promises.fence, mark.value);
        break;
      case Mark::Kind::started:
        promises.started = mark.value;
        break;
      case Mark::Kind::acknowledged:
        promises.acknowledged = mark.value;
        break;
    }
  }
  return promises;
}

namespace {

std::string difference(const std::string& expected, const std::string& found) {
  const auto at = std::ranges::mismatch(expected, found).in1 - expected.begin();
  const auto from = static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, at - 60));
  return "'" + expected.substr(from, 120) + "' is '" + found.substr(from, 120) + "'";
}

/// Which batch the store is at, if it may be there.
Verdict find_state(const History& history, const Promises& promises, const std::string& text) {
  for (auto kept = promises.acknowledged; kept <= promises.started; ++kept) {
    if (text == history.text_after(kept)) return {{}, kept};
  }
  for (std::size_t kept = 0; kept < promises.acknowledged; ++kept) {
    if (text != history.text_after(kept)) continue;
    return {"acknowledged batches " + std::to_string(kept + 1) + " to " +
                std::to_string(promises.acknowledged) + " are lost",
            kept};
  }
  return {"a state that never was: " + difference(history.text_after(promises.acknowledged), text),
          0};
}

}  // namespace

Verdict judge(const History& history, const Promises& promises, const std::string& folder) {
  auto opened = storage::open_sqlite({.path = path_in(folder), .on_fatal = {}});
  if (!opened) return {"it does not open: " + opened.error().detail, 0};
  auto& stores = **opened;
  if (promises.opened && !promises.incarnations.contains(stores.incarnation())) {
    return {"the log has another incarnation", 0};
  }
  auto database =
      storage::sqlite::Database::open(path_in(folder), storage::sqlite::Database::Mode::reader);
  if (!database) return {"no second connection: " + database.error().detail, 0};
  if (auto sound = storage::sqlite::verify_all(**database); !sound) {
    return {"damaged: " + sound.error().detail, 0};
  }
  auto reader = stores.open_reader();
  if (!reader) return {"no reader: " + reader.error().detail, 0};
  auto verdict = find_state(history, promises, history.text_of(**reader));
  const auto fence = stores.writer().draw_fence();
  if (!fence || fence->value <= promises.fence) verdict.broken += "; a fence is given out twice";
  return verdict;
}

}  // namespace catbird::crash
