// SPDX-License-Identifier: MIT
#include "xrpc/rate_limiter.hpp"

#include <gtest/gtest.h>

#include <string>

namespace catbird::xrpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr actors::Instant start{5'000'000};

RateLimits limits_of(std::uint32_t per_minute) {
  RateLimits limits;
  limits.per_minute.fill(per_minute);
  return limits;
}

int admitted(RateLimiter& limiter, const std::string& user, int tries, actors::Instant now) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limiter.take(user, RateClass::other, now) == 0 ? 1 : 0;
  return count;
}

TEST(RateLimiter, admits_a_burst_of_one_minute_and_no_more) {
  RateLimiter limiter(limits_of(10));

  EXPECT_EQ(admitted(limiter, "did:a", 50, start), 10);
}

TEST(RateLimiter, refills_with_time_up_to_the_burst) {
  RateLimiter limiter(limits_of(60));
  admitted(limiter, "did:a", 60, start);

  EXPECT_EQ(admitted(limiter, "did:a", 50, start + seconds(5)), 5);
  EXPECT_EQ(admitted(limiter, "did:a", 500, start + seconds(3600)), 60);
}

TEST(RateLimiter, keeps_fractions_of_a_token) {
  RateLimiter limiter(limits_of(60));
  admitted(limiter, "did:a", 60, start);

  EXPECT_EQ(admitted(limiter, "did:a", 1, start + milliseconds(600)), 0);
  EXPECT_EQ(admitted(limiter, "did:a", 1, start + milliseconds(1200)), 1);
}

TEST(RateLimiter, admits_who_waited_as_long_as_it_said) {
  for (std::uint32_t rate = 1; rate <= 200; ++rate) {
    RateLimiter limiter(limits_of(rate));
    admitted(limiter, "did:a", static_cast<int>(rate), start);

    const auto wait = limiter.take("did:a", RateClass::other, start);

    ASSERT_GE(wait, 1U);
    ASSERT_LE(wait, 60U / rate + 1);
    EXPECT_EQ(limiter.take("did:a", RateClass::other, start + seconds(wait)), 0U) << rate;
  }
}

TEST(RateLimiter, counts_users_and_classes_apart) {
  RateLimiter limiter(limits_of(1));

  EXPECT_EQ(limiter.take("did:a", RateClass::other, start), 0U);
  EXPECT_EQ(limiter.take("did:b", RateClass::other, start), 0U);
  EXPECT_EQ(limiter.take("did:a", RateClass::send_message, start), 0U);
  EXPECT_NE(limiter.take("did:a", RateClass::other, start), 0U);
}

TEST(RateLimiter, lets_each_class_have_its_own_rate) {
  auto limits = limits_of(1);
  limits.per_minute[static_cast<std::size_t>(RateClass::read_state)] = 3;
  RateLimiter limiter(limits);

  int count = 0;
  for (int i = 0; i < 9; ++i) count += limiter.take("did:a", RateClass::read_state, start) == 0;

  EXPECT_EQ(count, 3);
}

TEST(RateLimiter, does_not_limit_or_remember_a_class_set_to_zero) {
  RateLimiter limiter(limits_of(0));

  EXPECT_EQ(admitted(limiter, "did:a", 10'000, start), 10'000);
  EXPECT_EQ(limiter.keys(), 0U);
}

TEST(RateLimiter, stays_bounded_under_a_flood_of_users) {
  auto limits = limits_of(10);
  limits.keys_max = 1'600;
  RateLimiter limiter(limits);

  for (int i = 0; i < 50'000; ++i) {
    limiter.take("did:" + std::to_string(i), RateClass::other, start + actors::Instant(i));
  }

  EXPECT_LE(limiter.keys(), 1'600U + 16U);
  EXPECT_GT(limiter.keys(), 400U);
}

TEST(RateLimiter, forgets_the_longest_unused_first) {
  auto limits = limits_of(1);
  limits.keys_max = 1'600;
  RateLimiter limiter(limits);
  limiter.take("did:busy", RateClass::other, start);

  bool forgotten = false;
  for (int i = 0; i < 20'000; ++i) {
    const auto now = start + actors::Instant(i);
    limiter.take("did:" + std::to_string(i), RateClass::other, now);
    forgotten |= limiter.take("did:busy", RateClass::other, now) == 0;
  }

  EXPECT_FALSE(forgotten);
}

}  // namespace
}  // namespace catbird::xrpc
