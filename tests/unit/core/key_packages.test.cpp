// SPDX-License-Identifier: MIT
#include "core/key_packages.hpp"

#include "core/limits.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace catbird::core {
namespace {

constexpr std::uint64_t now_s = 1'700'000'000;
constexpr Timestamp now{static_cast<std::int64_t>(now_s) * 1000};
constexpr std::uint64_t day_s = 24 * 3600;

mls::KeyPackage package(std::uint64_t not_before, std::uint64_t not_after) {
  mls::KeyPackage out;
  out.leaf.lifetime = {not_before, not_after};
  return out;
}

TEST(KeyPackageTerms, end_with_the_lifetime_in_the_package) {
  const auto terms = key_package_terms(package(now_s - 1, now_s + day_s), std::nullopt, now);

  ASSERT_TRUE(terms);
  EXPECT_EQ(terms->not_after.value, now.value + static_cast<std::int64_t>(day_s) * 1000);
  EXPECT_FALSE(terms->last_resort);
}

TEST(KeyPackageTerms, end_with_the_uploaders_own_limit_if_that_is_earlier) {
  const Timestamp soon(now.value + 5000);
  const Timestamp late(now.value + static_cast<std::int64_t>(3 * day_s) * 1000);
  const auto two_days = package(now_s, now_s + 2 * day_s);

  EXPECT_EQ(key_package_terms(two_days, soon, now)->not_after, soon);
  EXPECT_LT(key_package_terms(two_days, late, now)->not_after, late);
}

TEST(KeyPackageTerms, end_after_ninety_days_at_the_latest) {
  const auto eternal = std::numeric_limits<std::uint64_t>::max();

  const auto terms = key_package_terms(package(0, eternal), std::nullopt, now);

  EXPECT_EQ(terms->not_after.value, now.value + key_package_life_ms_max);
}

TEST(KeyPackageTerms, need_a_package_that_is_valid_now) {
  const auto code = [](std::uint64_t from, std::uint64_t until, std::optional<Timestamp> expires) {
    const auto terms = key_package_terms(package(from, until), expires, now);
    return terms ? std::optional<Errc>() : terms.error().code;
  };

  EXPECT_EQ(code(now_s - day_s, now_s, std::nullopt), Errc::invalid_key_package);
  EXPECT_EQ(code(now_s - day_s, now_s + 1, std::nullopt), std::nullopt);
  EXPECT_EQ(code(now_s - day_s, now_s + day_s, now), Errc::invalid_key_package);
}

TEST(KeyPackageTerms, forgive_a_clock_thirty_seconds_ahead_and_no_more) {
  EXPECT_TRUE(key_package_terms(package(now_s + 30, now_s + day_s), std::nullopt, now));
  EXPECT_EQ(key_package_terms(package(now_s + 31, now_s + day_s), std::nullopt, now).error().code,
            Errc::invalid_key_package);
  const auto never = std::numeric_limits<std::uint64_t>::max();
  EXPECT_FALSE(key_package_terms(package(never, never), std::nullopt, now));
}

}  // namespace
}  // namespace catbird::core
