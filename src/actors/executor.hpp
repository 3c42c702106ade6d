// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>

namespace catbird::actors {

using Task = std::move_only_function<void()>;
/// Monotonic, from an arbitrary start: for deadlines, back-off and idleness, never shown or stored.
using Instant = std::chrono::microseconds;

/// Runs tasks one at a time, in the order posted. In production one thread with an io_context; in
/// tests the simulator, which chooses the interleaving and the time from a seed.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Any thread may post.
  virtual void post(Task task) = 0;
  virtual void post_after(std::chrono::milliseconds delay, Task task) = 0;
  virtual Instant now() const = 0;
};

}  // namespace catbird::actors
