// SPDX-License-Identifier: MIT
#pragma once

#include "app/config.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <memory>

namespace catbird::app {

/// A whole server: builds everything, runs, stops.
class Node {
 public:
  /// Opens the store and listens. Fails with one line that says what to do.
  static Result<std::unique_ptr<Node>> start(const Config& config);
  virtual ~Node() = default;
  virtual std::uint16_t port() const = 0;
  /// Runs until SIGTERM or SIGINT, then drains: readiness off, requests in flight finished, every
  /// decided write durable, at most drain_seconds_max. Returns the exit code.
  virtual int run() = 0;
};

}  // namespace catbird::app
