// SPDX-License-Identifier: MIT
#pragma once

#include "bench/report.hpp"

#include <deque>

namespace catbird::bench {

/// Five times more than the server can do, in an open loop. Its capacity is lowered by a slow log
/// flush of the database, so that the generator needs little of the cores.
class Overload {
 public:
  explicit Overload(World& world);

  void run();
  void add_to(Report& report) const;

 private:
  Cell& cell(const std::string& id, const std::string& title);
  void measure_one();

  World& world_;
  std::unique_ptr<Postgres> postgres_;
  Host host_;
  std::deque<Cell> cells_;  // peak, at 80 %, at five times
  std::vector<double> goodput_, tail_, generator_;
  std::size_t rows_checked_ = 0;
};

}  // namespace catbird::bench
