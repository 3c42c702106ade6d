// SPDX-License-Identifier: MIT
#pragma once

#include "base/time.hpp"

#include <chrono>

namespace catbird::app {

/// The machine's wall clock.
class SystemClock final : public Clock {
 public:
  Timestamp now() const override {
    return Timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count());
  }
};

}  // namespace catbird::app
