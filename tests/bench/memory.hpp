// SPDX-License-Identifier: MIT
#pragma once

#include "bench/report.hpp"

namespace catbird::bench {

/// Start to ready on a large database; then its memory when ready, with every conversation touched,
/// and after all of them have left.
void measure_start_and_memory(World& world, Report& report);

}  // namespace catbird::bench
