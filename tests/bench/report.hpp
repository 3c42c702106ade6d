// SPDX-License-Identifier: MIT
#pragma once

#include "bench/cell.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace catbird::bench {

/// One of the three stress tests of the predecessor, by its name.
struct StressResult {
  std::string name;
  std::string measured;
  bool reached = false;  // what the predecessor asked for; a slow one does not fail the run
};

struct Report {
  bool quick = false;
  double seconds = 0;
  std::vector<const Cell*> cells;
  /// By the names of the goals, and any other figure worth keeping.
  std::map<std::string, double> ratios;
  std::map<std::string, double> figures;
  std::vector<StressResult> stress;
  std::vector<std::string> wrong;  // outcomes; what was measured beside them still stands
  std::size_t rows_checked = 0;
};

void print_tables(const Report& report);
/// For tools/bench_pictures.py and whoever compares runs. Throws std::runtime_error.
void write_json(const Report& report, const std::string& path);

}  // namespace catbird::bench
