// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "actors/readers.hpp"
#include "base/time.hpp"
#include "sim/trace.hpp"
#include "storage/stores.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

namespace catbird::sim {

/// Virtual time and every choice, from one seed and on one thread. Each step runs the first task of
/// a randomly chosen executor: order within an executor holds, interleaving between executors is
/// arbitrary. Time moves only when nothing is ready, or when a slow executor is waited for.
class Simulator {
 public:
  explicit Simulator(std::uint64_t seed) : random_(seed) {}

  class Lane final : public actors::Executor {
   public:
    Lane(Simulator& sim, std::size_t number) : sim_(sim), number_(number) {}
    void post(actors::Task task) override { tasks_.push_back(std::move(task)); }
    void post_after(std::chrono::milliseconds delay, actors::Task task) override {
      sim_.timers_.emplace(std::pair(sim_.now_ + delay, sim_.next_timer_++),
                           std::pair(this, std::move(task)));
    }
    actors::Instant now() const override { return sim_.now_; }
    /// Runs nothing before now + delay: a slow disk, a paused process.
    void pause(std::chrono::milliseconds delay) { paused_until_ = sim_.now_ + delay; }

   private:
    friend class Simulator;
    Simulator& sim_;
    const std::size_t number_;
    std::deque<actors::Task> tasks_;
    actors::Instant paused_until_{};
  };

  Lane& lane() { return *lanes_.emplace_back(std::make_unique<Lane>(*this, lanes_.size())); }
  actors::Instant now() const { return now_; }
  Trace& trace() { return trace_; }
  /// One choice in [0, n): the only source of randomness, so a seed is the whole history.
  std::uint64_t pick(std::uint64_t n) {
    const auto choice = random_() % n;
    trace_.mix(choice);
    return choice;
  }
  bool chance(std::uint64_t percent) { return percent != 0 && pick(100) < percent; }

  /// The process of `lanes` dies: nothing it had queued or timed ever runs.
  void kill(const std::vector<Lane*>& lanes) {
    std::vector<actors::Task> lost;  // destroyed when nothing refers to the queues any more
    for (auto* lane : lanes) {
      for (auto& task : lane->tasks_) lost.push_back(std::move(task));
      lane->tasks_.clear();
      lane->paused_until_ = {};
      for (auto it = timers_.begin(); it != timers_.end();) {
        if (it->second.first != lane) {
          ++it;
          continue;
        }
        lost.push_back(std::move(it->second.second));
        it = timers_.erase(it);
      }
    }
  }
  /// Everything is forgotten, before what the tasks refer to is destroyed.
  void kill_all() {
    urgent_.clear();
    std::vector<Lane*> all;
    for (auto& lane : lanes_) all.push_back(lane.get());
    kill(all);
  }

  /// Runs before anything else, as soon as the task that asked for it has ended.
  void urgent(actors::Task task) { urgent_.push_back(std::move(task)); }
  /// The machine sleeps: timers that fall into it fire late, deadlines pass.
  void leap(std::chrono::seconds time) { now_ += time; }

  bool step() {
    if (!urgent_.empty()) {
      auto task = std::move(urgent_.front());
      urgent_.pop_front();
      task();
      return true;
    }
    if (!find_ready()) return false;
    auto& lane = *ready_[pick(ready_.size())];
    auto task = std::move(lane.tasks_.front());
    lane.tasks_.pop_front();
    now_ += std::chrono::microseconds(1 + pick(20));
    trace_.mix(lane.number_);
    task();
    return true;
  }

 private:
  bool find_ready() {
    for (;;) {
      fire_timers();
      ready_.clear();
      bool paused = false;
      for (auto& lane : lanes_) {
        if (lane->tasks_.empty()) continue;
        if (lane->paused_until_ > now_) {
          paused = true;
          continue;
        }
        ready_.push_back(lane.get());
      }
      if (!ready_.empty()) return true;
      if (timers_.empty() && !paused) return false;
      advance();
    }
  }
  void fire_timers() {
    while (!timers_.empty() && timers_.begin()->first.first <= now_) {
      auto node = timers_.extract(timers_.begin());
      node.mapped().first->tasks_.push_back(std::move(node.mapped().second));
    }
  }
  // To the next moment at which something can run.
  void advance() {
    auto next = actors::Instant::max();
    if (!timers_.empty()) next = timers_.begin()->first.first;
    for (auto& lane : lanes_) {
      if (!lane->tasks_.empty()) next = std::min(next, std::max(lane->paused_until_, now_));
    }
    now_ = std::max(now_, next);
  }

  std::mt19937_64 random_;
  Trace trace_;
  actors::Instant now_{1'000'000};
  std::uint64_t next_timer_ = 0;
  std::deque<actors::Task> urgent_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<Lane*> ready_;
  std::map<std::pair<actors::Instant, std::uint64_t>, std::pair<Lane*, actors::Task>> timers_;
};

/// Reads on an executor of the simulator.
class SimReaders final : public actors::Readers {
 public:
  SimReaders(Simulator::Lane& lane, storage::Reader& reader) : lane_(lane), reader_(reader) {}
  void run(actors::ReadJob job) override {
    lane_.post([this, job = std::move(job)]() mutable { job(reader_); });
  }

 private:
  Simulator::Lane& lane_;
  storage::Reader& reader_;
};

/// Wall-clock time that goes with virtual time, and jumps when told.
class SimClock final : public Clock {
 public:
  explicit SimClock(const Simulator& sim) : sim_(sim) {}
  Timestamp now() const override {
    return Timestamp(1'700'000'000'000 + sim_.now().count() / 1000 + jump_ms);
  }
  std::int64_t jump_ms = 0;

 private:
  const Simulator& sim_;
};

}  // namespace catbird::sim
