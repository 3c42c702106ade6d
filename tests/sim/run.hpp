// SPDX-License-Identifier: MIT
#pragma once

#include "sim/client.hpp"
#include "sim/nemesis.hpp"
#include "sim/watcher.hpp"

#include <memory>
#include <string>
#include <vector>

namespace catbird::sim {

/// What a run needs to know beside its seed.
struct RunOptions {
  std::uint64_t seed = 1;
  Limits limits{};
  Backend backend = Backend::memory;
  bool record = false;  // keep the history as text
};

struct RunResult {
  std::vector<Violation> violations;
  std::uint64_t hash = 0;
  std::string swarm;
  Totals totals;
  std::vector<Trace::Line> lines;
  std::size_t clients = 0;
  std::size_t operations = 0;
};

/// One seed: faults on, then off; then everything must converge (R2) and what is stored must be
/// what the model says.
RunResult run_seed(const RunOptions& options);

/// Every tenth seed runs on a real SQLite file.
inline Backend usual_backend(std::uint64_t seed) {
  return seed % 10 == 0 ? Backend::sqlite : Backend::memory;
}

/// Repeats a failing seed with fewer hazards, clients and operations while it still fails, in a
/// bounded number of attempts; gives the smallest run, recorded.
struct Shrunk {
  RunOptions options;
  RunResult result;
  int attempts = 0;
};
Shrunk shrink(const RunOptions& failing);
/// What to print of it: the seed, its swarm, its violations and the end of its history.
std::string report(const RunOptions& failing, const Shrunk& shrunk);

}  // namespace catbird::sim
