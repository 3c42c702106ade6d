// SPDX-License-Identifier: MIT
#pragma once

#include "bench/report.hpp"

#include <deque>

namespace catbird::bench {

/// The cells around (PostgreSQL, actors, 1,000 conversations, 5 members, 64 clients, HS256): one
/// axis at a time. All servers run side by side, and a repetition goes through all cells, so that
/// the two sides of a ratio were measured within seconds of each other.
class Axes {
 public:
  explicit Axes(World& world);

  void run();
  /// Sends at 80 % of what the closed loop reached, on PostgreSQL and SQLite.
  void run_at_80_percent();
  void check();
  void add_to(Report& report) const;

 private:
  Host& host(const std::string& name);
  Cell& cell(const std::string& host, const std::string& id, const std::string& title);
  void add_base_cells(const std::string& host, const std::string& title);
  void add_member_cells();
  void add_history_cells();
  void add_wide_cells();
  const Cell* find(const std::string& id) const;  // null if this run does not have it

  World& world_;
  std::deque<Host> hosts_;
  std::deque<Cell> cells_;
  std::size_t rows_checked_ = 0;
  double checkpoints_ = 0, pause_max_us_ = 0;  // of SQLite with actors
};

/// The usual conversations: 1,000 of 5 members.
Group talk_group();

}  // namespace catbird::bench
