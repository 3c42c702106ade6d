// SPDX-License-Identifier: MIT
#pragma once

#include "bench/report.hpp"

namespace catbird::bench {

/// The three stress tests of the predecessor, by their names and with their bounds, over HTTP on
/// PostgreSQL. A bound that is missed is printed; a wrong outcome is thrown.
void run_stress_tests(World& world, Report& report);

}  // namespace catbird::bench
