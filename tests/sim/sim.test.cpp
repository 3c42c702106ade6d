// SPDX-License-Identifier: MIT
// A part of the simulator's seeds under the sanitizers; script/sim runs thousands.
#include "sim/run.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace catbird::sim {
namespace {

constexpr std::uint64_t seeds_count = 200;
constexpr std::uint64_t twice_count = 50;

RunOptions options_of(std::uint64_t seed) { return {.seed = seed, .backend = usual_backend(seed)}; }

void expect_sound(std::uint64_t seed, Totals& totals) {
  const auto options = options_of(seed);
  const auto result = run_seed(options);
  totals.add(result.totals);
  if (!result.violations.empty()) ADD_FAILURE() << report(options, shrink(options));
}

TEST(Sim, every_invariant_holds_for_every_seed) {
  Totals totals;
  if (const char* seed = std::getenv("CATBIRD_SIM_SEED")) {
    expect_sound(std::stoull(seed), totals);
    return;
  }
  for (std::uint64_t seed = 1; seed <= seeds_count && !HasFailure(); ++seed) {
    expect_sound(seed, totals);
  }
  std::printf("%s\n", totals.describe().c_str());
  for (std::size_t i = 0; i < static_cast<std::size_t>(Count::count); ++i) {
    EXPECT_GT(totals[static_cast<Count>(i)], 0U) << "never happened: " << count_names[i];
  }
  EXPECT_GE(totals[Count::operations], seeds_count * 200);
}

TEST(Sim, the_same_seed_is_the_same_history) {
  for (std::uint64_t seed = 1; seed <= twice_count; ++seed) {
    const auto first = run_seed(options_of(seed));
    const auto second = run_seed(options_of(seed));

    EXPECT_EQ(first.hash, second.hash) << "seed " << seed;
  }
}

}  // namespace
}  // namespace catbird::sim
