// SPDX-License-Identifier: MIT
#pragma once

#include "actors/actor_gateway.hpp"
#include "storage/memory/memory_store.hpp"
#include "support/conversations.hpp"
#include "support/manual_executor.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace catbird::actors {

using namespace test;

/// The memory store behind a script: a test can look at each batch and say what becomes of it.
class ScriptedStore final : public storage::ConvoStore {
 public:
  using Sets = std::span<const storage::WriteSet>;
  using Jobs = std::span<const storage::UserJob>;
  /// Answers one batch; `real` is the store behind it.
  using Answer = std::function<storage::BatchResult(Sets, Jobs, storage::ConvoStore& real)>;

  explicit ScriptedStore(storage::ConvoStore& real) : real_(real) {}

  storage::BatchResult commit(Sets sets, Jobs jobs) override {
    batches.emplace_back(sets.begin(), sets.end());
    if (next.empty()) return real_.commit(sets, jobs);
    auto answer = std::move(next.front());
    next.pop_front();
    return answer(sets, jobs, real_);
  }
  storage::WriteResult transact(const storage::Decide& decide) override {
    return real_.transact(decide);
  }
  Result<core::Fence> draw_fence() override {
    ++fences_drawn;
    if (!fence_fails) return real_.draw_fence();
    fence_fails = false;
    return fail(Errc::storage_unavailable);
  }
  void idle() override { ++idle_calls; }

  std::deque<Answer> next;  // one per batch to come; then the real store answers
  std::vector<std::vector<storage::WriteSet>> batches;
  int fences_drawn = 0;
  bool fence_fails = false;
  int idle_calls = 0;

 private:
  storage::ConvoStore& real_;
};

/// Every set of the batch ends so, and nothing is written.
inline ScriptedStore::Answer all_end(storage::CommitStatus status, Errc code) {
  return [=](ScriptedStore::Sets sets, ScriptedStore::Jobs jobs, storage::ConvoStore&) {
    storage::BatchResult result;
    result.sets.resize(sets.size());
    for (auto& one : result.sets) one = {.status = status, .error = {code, "scripted"}};
    result.jobs.resize(jobs.size());
    return result;
  };
}
/// As a store that refuses the first set of the batch: the rest of that conversation is fenced.
inline storage::BatchResult reject_first(ScriptedStore::Sets sets, Errc code) {
  storage::BatchResult result;
  result.sets.resize(sets.size());
  for (auto& one : result.sets) {
    one = {.status = storage::CommitStatus::fenced, .error = {Errc::retry, "scripted"}};
  }
  result.sets[0] = {.status = storage::CommitStatus::rejected, .error = {code, "scripted"}};
  return result;
}

/// What an asker heard; exactly once, or the test fails.
template <class T>
class Heard {
 public:
  void hear(Result<T> result) {
    if (result_) ADD_FAILURE() << "answered twice";
    result_ = std::move(result);
  }
  bool yet() const { return result_.has_value(); }
  bool ok() const { return result_ && result_->has_value(); }
  const T& value() const { return result_.value().value(); }
  /// The refusal; internal and a failure if there is none.
  Errc code() const {
    if (yet() && !*result_) return result_->error().code;
    ADD_FAILURE() << (yet() ? "accepted" : "not answered");
    return Errc::internal;
  }
  const Error& error() const { return result_.value().error(); }

 private:
  std::optional<Result<T>> result_;
};
using Answer = std::shared_ptr<Heard<core::Outcome>>;
using Seen = std::shared_ptr<Heard<core::Access>>;

class FixedClock final : public Clock {
 public:
  Timestamp now() const override { return start; }
};

class RecordingSink final : public realtime::LogSink {
 public:
  void publish(std::vector<realtime::LogEvent> events) override {
    for (auto& event : events) published.push_back(std::move(event));
  }
  void resync() override { ++resyncs; }
  std::vector<realtime::LogEvent> published;
  int resyncs = 0;
};

/// One worker, one lane, one reader; each runs only when the test says so.
class World {
 public:
  World();

  Answer ask(core::Command command) { return ask(convo_id(), std::move(command)); }
  Answer ask(core::ConvoId convo, core::Command command,
             std::chrono::milliseconds patience = std::chrono::hours(1));
  Seen look(const core::Did& user) { return look(convo_id(), user); }
  Seen look(core::ConvoId convo, const core::Did& user);

  /// Everything but the disk: what was decided waits in the lane.
  void think() { drain({&worker, &reads}); }
  /// Everything.
  void settle() { drain({&worker, &reads, &lane_thread}); }
  /// Asks and lets everything run; the command must be accepted.
  core::Outcome done(core::Command command);
  /// alice and the others, durable.
  void created(std::vector<core::Did> others) { done(create(std::move(others))); }
  void wait(std::chrono::milliseconds span) { time.pass(span); }
  void sweep() {
    gateway->sweep();
    settle();
  }
  /// Another process writes this conversation with a later fence.
  void foreign_write(const core::Command& command);
  core::Snapshot stored();
  double metric(const std::string& name);

  ManualTime time;
  ManualExecutor worker{time};
  ManualExecutor lane_thread{time};
  ManualExecutor reads{time};
  FixedClock clock;
  RecordingSink sink;
  storage::MemoryDisk disk;
  std::unique_ptr<storage::Stores> stores;
  std::unique_ptr<ScriptedStore> store;
  std::unique_ptr<storage::Reader> reader;
  std::unique_ptr<obs::Metrics> metrics = obs::Metrics::create();
  std::unique_ptr<ManualReaders> readers;
  std::unique_ptr<CommitLane> lane;
  std::unique_ptr<ActorMetrics> actor_metrics;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<ActorGateway> gateway;
  std::vector<Answer> answered;  // in the order the answers came
};

}  // namespace catbird::actors
