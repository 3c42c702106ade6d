// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace catbird::sim {

/// What happened, as a hash of every choice, step and answer, and, when it is recording, as text.
/// The same seed gives the same hash; the text is made only for a seed that is looked at.
class Trace {
 public:
  struct Line {
    actors::Instant at{};
    std::size_t convo = 0;
    std::string text;
  };
  static constexpr std::size_t everywhere = SIZE_MAX;  // not about one conversation

  void mix(std::uint64_t value) {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15U;
    hash_ ^= hash_ >> 29U;
  }
  std::uint64_t hash() const { return hash_; }

  void record() { recording_ = true; }
  bool recording() const { return recording_; }
  void note(actors::Instant at, std::size_t convo, std::string text) {
    if (recording_) lines_.push_back({at, convo, std::move(text)});
  }
  const std::vector<Line>& lines() const { return lines_; }

 private:
  std::uint64_t hash_ = 0;
  bool recording_ = false;
  std::vector<Line> lines_;
};

}  // namespace catbird::sim
