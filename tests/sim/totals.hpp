// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace catbird::sim {

/// What runs did, so that one sees that they did something.
enum class Count : std::uint8_t {
  operations,
  requests,
  acks,
  refusals,
  open_outcomes,
  rows,
  commits,
  roster_changes,
  governance,
  welcomes,
  packages_used,
  stream_events,
  stream_connections,
  slow_cuts,
  stream_notices,
  boots,
  crashes,
  commit_faults,
  network_faults,
  intrusions,
  passivations,
  reloads,
  mailbox_full,
  deadlines,
  flips,
  count,
};
inline constexpr std::array<const char*, static_cast<std::size_t>(Count::count)> count_names{
    "operations",     "requests",          "acks",
    "refusals",       "open outcomes",     "rows",
    "commits",        "roster changes",    "governance",
    "welcomes",       "key packages used", "stream events",
    "streams",        "slow cuts",         "stream notices",
    "boots",          "crashes",           "commit faults",
    "network faults", "intrusions",        "passivations",
    "reloads",        "mailbox full",      "deadlines",
    "mode flips"};

class Totals {
 public:
  std::uint64_t& operator[](Count which) { return counts_[static_cast<std::size_t>(which)]; }
  std::uint64_t operator[](Count which) const { return counts_[static_cast<std::size_t>(which)]; }
  void add(const Totals& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  }
  std::string describe() const {
    std::string text;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (i != 0) text += ", ";
      text += std::string(count_names[i]) + " " + std::to_string(counts_[i]);
    }
    return text;
  }

 private:
  std::array<std::uint64_t, static_cast<std::size_t>(Count::count)> counts_{};
};

}  // namespace catbird::sim
