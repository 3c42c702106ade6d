// SPDX-License-Identifier: MIT
#pragma once

#include "sim/wire.hpp"
#include "sim/witness.hpp"

#include <functional>
#include <memory>

namespace catbird::sim {

/// Another owner on the same store, which draws a fence and writes a message or a plain commit of
/// a member: whoever has the conversation in memory loses its next write (engine.md, "Fences").
class Intruder {
 public:
  Intruder(Outside& outside, std::unique_ptr<storage::Stores> stores);
  void write(std::size_t convo);

 private:
  Op& plan(std::size_t convo, std::size_t user, core::Epoch epoch);

  Outside& outside_;
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<storage::Reader> reader_;
  std::size_t written_ = 0;
};

/// Whatever goes wrong outside of a message or a transaction: crashes, pauses, passivation, clocks.
class Nemesis {
 public:
  struct Powers {
    std::function<void()> crash;
    std::function<void()> sweep;
    std::function<void(bool lane, std::chrono::milliseconds)> pause;  // the writer, or the readers
    std::function<void(std::int64_t)> jump_ms;
    std::function<void(std::size_t)> intrude;
  };
  Nemesis(Outside& outside, Simulator::Lane& own, Powers powers);
  void start() { round(); }
  void stop() { stopped_ = true; }

 private:
  void round();

  Outside& outside_;
  Simulator& sim_;
  Simulator::Lane& own_;
  Powers powers_;
  bool stopped_ = false;
};

}  // namespace catbird::sim
