// SPDX-License-Identifier: MIT
#pragma once

#include "crash/history.hpp"
#include "crash/power_cut.hpp"
#include "crash/recording_vfs.hpp"

#include <cstdint>
#include <set>
#include <string>

namespace catbird::crash {

/// A defect planted on purpose: the program proves that it finds it.
enum class Plant : std::uint8_t { none, no_fsync, early_reply };

/// How a life writes: ENABLE_ACTOR_SYSTEM.
enum class Mode : std::uint8_t { actors, direct };

/// What must be true of the store however the power was cut.
struct Promises {
  std::set<std::string> incarnations;  // one of them, if a start was complete
  bool opened = false;
  std::uint64_t fence = 0;       // the highest that was given out
  std::size_t started = 0;       // batches handed to the lane
  std::size_t acknowledged = 0;  // of those, answered
};

struct LifeOptions {
  std::string folder;
  std::size_t batches = 0;
  Mode mode = Mode::actors;
  Plant plant = Plant::none;
};

/// One process on the files of a folder: opens the real store, runs so many batches of the history
/// through the real commit lane, closes. What it did and what it promised goes into `recording`.
/// Gives the incarnation of the log. Ends the program if the store refuses what the oracle took.
std::string live(History& history, const LifeOptions& options, Recording& recording);

/// The promises made before the first `at` operations, on top of those of earlier lives.
Promises promises_at(const Recording& recording, std::size_t at, Promises earlier);

/// What became of the store in `folder`: opens it with SQLite's own files.
struct Verdict {
  std::string broken;    // empty: all promises hold
  std::size_t kept = 0;  // batches in it
};
Verdict judge(const History& history, const Promises& promises, const std::string& folder);

/// The database's name in its folder.
inline constexpr const char* database_name = "catbird.db";

}  // namespace catbird::crash
