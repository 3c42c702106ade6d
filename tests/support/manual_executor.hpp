// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "actors/readers.hpp"
#include "storage/reader.hpp"

#include <cstddef>
#include <deque>
#include <initializer_list>
#include <map>
#include <utility>

namespace catbird::test {

/// Time that only a test moves.
class ManualTime {
 public:
  actors::Instant now() const { return now_; }
  void pass(std::chrono::microseconds time) { now_ += time; }

 private:
  actors::Instant now_{1'000'000};
};

/// Runs what was posted when told to, so that a test is the scheduler.
class ManualExecutor final : public actors::Executor {
 public:
  explicit ManualExecutor(ManualTime& time) : time_(time) {}

  void post(actors::Task task) override { tasks_.push_back(std::move(task)); }
  void post_after(std::chrono::milliseconds delay, actors::Task task) override {
    timers_.emplace(time_.now() + delay, std::move(task));
  }
  actors::Instant now() const override { return time_.now(); }

  /// False if nothing is ready.
  bool run_one() {
    while (!timers_.empty() && timers_.begin()->first <= time_.now()) {
      auto node = timers_.extract(timers_.begin());
      tasks_.push_back(std::move(node.mapped()));
    }
    if (tasks_.empty()) return false;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    return true;
  }
  std::size_t ready() const { return tasks_.size(); }
  /// When the next timer fires, if there is one.
  std::chrono::milliseconds next_timer() const {
    if (timers_.empty()) return std::chrono::milliseconds::max();
    return std::chrono::duration_cast<std::chrono::milliseconds>(timers_.begin()->first -
                                                                 time_.now());
  }

 private:
  ManualTime& time_;
  std::deque<actors::Task> tasks_;
  std::multimap<actors::Instant, actors::Task> timers_;
};

/// Runs the given executors until none has anything ready; the others stand still.
inline void drain(std::initializer_list<ManualExecutor*> executors) {
  bool ran = true;
  while (ran) {
    ran = false;
    for (auto* one : executors) {
      while (one->run_one()) ran = true;
    }
  }
}

class ManualReaders final : public actors::Readers {
 public:
  ManualReaders(ManualExecutor& own, storage::Reader& reader) : own_(own), reader_(reader) {}
  void run(actors::ReadJob job) override {
    own_.post([this, job = std::move(job)]() mutable { job(reader_); });
  }

 private:
  ManualExecutor& own_;
  storage::Reader& reader_;
};

}  // namespace catbird::test
