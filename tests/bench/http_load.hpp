// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace catbird::bench {

/// What is sent, over keep-alive connections to a server on loopback, from the calling thread.
struct LoadPlan {
  std::uint16_t port = 0;
  std::size_t clients = 64;
  /// Complete HTTP/1.1 requests, each sent once. Made before the clock starts.
  std::vector<std::string> requests;
  /// 0: closed loop, every client has one request open. Else open loop: requests arrive at this
  /// rate whatever the server does; `clients` bounds how many are open, and one that has to wait
  /// for a connection has its clock running (no coordinated omission).
  double per_second = 0;
  /// Closed loop: request i is sent by client i % clients, after that client's earlier ones.
  bool pinned = false;
};

struct Answer {
  std::size_t request = 0;  // index in the plan
  int status = 0;
  std::string_view body;
};

struct LoadResult {
  double seconds = 0;                   // from the first request's time to the last answer
  double generator_cpu_seconds = 0;     // of the calling thread
  std::vector<double> latencies_us;     // of 200 answers, sorted; open loop: from the intended time
  std::vector<std::size_t> per_slot;    // 200 answers in each slot_ms of the run
  std::map<int, std::size_t> statuses;  // other than 200
  std::string first_failure;

  static constexpr std::size_t slot_ms = 100;
  std::size_t failed() const;
  double per_second() const { return static_cast<double>(latencies_us.size()) / seconds; }
  double percentile_us(double p) const;
};

/// Throws std::runtime_error if a connection breaks or nothing is answered for a long time.
LoadResult run_load(const LoadPlan& plan, const std::function<void(const Answer&)>& on_answer = {});

}  // namespace catbird::bench
