// SPDX-License-Identifier: MIT
#pragma once

#include "bench/world.hpp"

#include <functional>
#include <string>
#include <vector>

namespace catbird::bench {

enum class Work : std::uint8_t { live, epoch, page, send, commit };

struct Sample {
  double per_second = 0;  // of 200 answers
  double p50_us = 0, p99_us = 0, p999_us = 0;
  double cpu_us = 0;           // of the server's process, per answer
  double database_cpu_us = 0;  // of PostgreSQL's processes, per answer
  double generator_share = 0;  // of one core
};

/// One line of the table: one kind of request on one server under one load.
struct Cell {
  std::string id;
  std::string title;
  std::string host_name{};
  Host* host = nullptr;
  Work work = Work::live;
  Group group{};
  std::size_t clients = 64;
  bool es256k = false;
  /// Open loop at this rate; 0: closed.
  double per_second = 0;
  std::size_t requests = 0;  // of one repetition
  /// Whether it may be answered 503 or 429 (only beyond the capacity).
  bool may_refuse = false;

  std::vector<Sample> samples{};             // one per repetition
  std::vector<double> latencies_us{};        // of all repetitions
  std::vector<double> answers_per_second{};  // by slot, one repetition after the other

  double figure(double Sample::* field) const;  // the median of the repetitions
};

/// The requests of one repetition, and what an answer to each must do to the ledger.
struct Requests {
  LoadPlan plan;
  std::function<void(const Answer&)> on_answer;
};
Requests make_requests(Traffic& traffic, Cell& cell, std::size_t count);

/// Runs `count` requests. Throws std::runtime_error on a wrong outcome.
LoadResult run_once(Traffic& traffic, Cell& cell, std::size_t count);

/// Touches every conversation of the cell, and sets `requests` so that a repetition takes
/// `seconds`.
void warm_up(Traffic& traffic, Cell& cell, double seconds);
/// One repetition, added to the samples.
LoadResult measure(Traffic& traffic, Cell& cell);

}  // namespace catbird::bench
