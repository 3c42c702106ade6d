// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "actors/readers.hpp"
#include "realtime/hub.hpp"

#include <chrono>
#include <cstdint>
#include <functional>

namespace catbird::app {

/// Where several servers write one database, this one hears of the others' rows by asking: the
/// store's newest position against what it has published itself (DECISIONS 16). When they differ by
/// another amount than before, open streams are told to read the store. Every few rounds they are
/// told anyway: a change of a roster need not come with a row.
class ForeignRows {
 public:
  struct Parts {
    actors::Executor& timers;
    actors::Readers& readers;
    realtime::Hub& hub;
    std::function<bool()> alone;  // then there is nothing to ask
  };
  /// Everything in `parts`, and this, outlive the last timer and read.
  explicit ForeignRows(Parts parts) : parts_(std::move(parts)) {}
  void start();

 private:
  static constexpr std::chrono::milliseconds every{400};
  static constexpr int rounds_until_told = 10;

  void ask();
  void heard(const Result<std::uint64_t>& newest);

  Parts parts_;
  std::uint64_t others_ = 0;
  int rounds_ = 0;
};

}  // namespace catbird::app
