// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace catbird::bench {

/// One closed-loop measurement: `clients` keep-alive connections, each with one request open.
struct LoadPlan {
  std::uint16_t port = 0;
  std::size_t clients = 64;
  /// Complete HTTP/1.1 requests, each sent once, handed out in order. Made before the clock starts.
  std::vector<std::string> requests;
};

struct LoadResult {
  double seconds = 0;
  std::vector<double> latencies_us;  // of 200 answers, sorted
  std::size_t failed = 0;            // other statuses
  std::string first_failure;

  double per_second() const { return static_cast<double>(latencies_us.size()) / seconds; }
  double percentile_us(double p) const;
};

/// Runs the plan on the calling thread with epoll-driven sockets; `on_body` sees each 200 body.
LoadResult run_load(const LoadPlan& plan,
                    const std::function<void(std::string_view)>& on_body = {});

}  // namespace catbird::bench
