// SPDX-License-Identifier: MIT
#pragma once

#include "sim/simulator.hpp"

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string>

namespace catbird::sim {

/// What is under the simulated server: the memory store with the crashes of a real disk, or a real
/// database, whose tail and reads we do not control.
enum class Backend : std::uint8_t { memory, sqlite, postgres };

/// Everything that may go wrong. Each is on for half of the seeds, with an intensity of its own.
enum class Hazard : std::uint8_t {
  crash,         // the process dies between any two of its tasks
  unsynced,      // ... during a commit, and the tail that was never synced is lost
  failed,        // a commit fails before it is sent
  full,          // the disk is full
  lost,          // a commit's outcome is unknown: it was lost
  committed,     // a commit's outcome is unknown: it is durable
  read,          // a read fails
  slow_lane,     // the writer stands still
  slow_reads,    // so do the readers
  drop_request,  // a request never arrives
  drop_reply,    // the client never hears
  copy_request,  // the same request arrives twice, at once or later
  copy_reply,    // an answer arrives twice
  passivate,     // actors leave memory between any two messages
  leap,          // the machine sleeps for more than a minute: key windows are dropped
  tiny_mailbox,  // a few letters fill it
  short_window,  // an activation loads only a few keys
  deadline,      // requests in a hurry
  intruder,      // a second owner takes the fence and writes
  clock,         // the wall clock jumps by a year
  slow_stream,   // readers of streams do not keep up with a small queue
  cut_stream,    // stream connections break
  count,
};
inline constexpr std::size_t hazards_count = static_cast<std::size_t>(Hazard::count);
const char* name_of(Hazard hazard);

/// What a client may choose to do.
enum class Work : std::uint8_t {
  send,
  burst,  // pipelined sends
  commit,
  add,
  remove,
  leave,
  external,
  group_info,
  mark,
  role,
  policy,
  warn,
  help,
  page,
  list,
  commits,
  welcome,
  confirm,
  publish,
  reserve,
  count,
};
inline constexpr std::size_t works_count = static_cast<std::size_t>(Work::count);

/// Who answers for the conversations of a boot: the two sides of the rollback flag.
enum class Mode : std::uint8_t { actors, direct };

/// What a caller of the simulator holds back from a seed's swarm: for shrinking.
struct Limits {
  std::bitset<hazards_count> without;
  std::size_t operations_max = 1'000'000;
  std::size_t clients_max = 100;
};

/// One seed's world: its hazards, and how its clients behave.
struct Swarm {
  std::array<std::uint64_t, hazards_count> level{};  // percent, by Hazard; 0: off
  std::array<std::uint64_t, works_count> weight{};   // by Work
  std::size_t clients = 0;
  std::size_t convos = 0;
  std::size_t operations = 0;  // of all clients together
  std::size_t watchers = 0;
  std::size_t page_rows_max = 0;
  std::size_t burst_max = 0;
  std::uint64_t think_ms = 0;
  std::uint64_t direct_percent = 0;  // of boots; the others are in actor mode
  std::uint64_t again_percent = 0;   // an answered request is sent once more
  std::chrono::milliseconds answer_timeout{};
  std::chrono::milliseconds retry_delay{};
  Backend backend = Backend::memory;

  static Swarm draw(Simulator& sim, Backend backend, const Limits& limits);

  std::uint64_t operator[](Hazard hazard) const { return level[static_cast<std::size_t>(hazard)]; }
  std::uint64_t& operator[](Hazard hazard) { return level[static_cast<std::size_t>(hazard)]; }
  /// Phase two: nothing goes wrong any more.
  void calm() { level = {}; }
  /// One line: what is on, and the size of the workload.
  std::string describe() const;
};

}  // namespace catbird::sim
