// SPDX-License-Identifier: MIT
#include "base/time.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace catbird {
namespace {

TEST(Rfc3339, writes_utc_with_milliseconds) {
  EXPECT_EQ(to_rfc3339(Timestamp{0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(Timestamp{-1}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(Timestamp{951'782'400'000}), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(Timestamp{1'795'593'909'120}), "2026-11-25T08:05:09.120Z");
  EXPECT_EQ(to_rfc3339(Timestamp{4'107'542'400'000}), "2100-03-01T00:00:00.000Z");
}

TEST(Rfc3339, keeps_within_four_digit_years) {
  EXPECT_EQ(to_rfc3339(Timestamp{std::numeric_limits<std::int64_t>::min()}),
            "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339(Timestamp{std::numeric_limits<std::int64_t>::max()}),
            "9999-12-31T23:59:59.999Z");
  EXPECT_FALSE(from_rfc3339("0000-01-01T00:00:00+00:01"));
  EXPECT_FALSE(from_rfc3339("9999-12-31T23:59:59-00:01"));
}

TEST(Rfc3339, reads_any_fraction_and_offset) {
  const Timestamp expected{1'795'593'909'120};
  for (const char* text :
       {"2026-11-25T08:05:09.120Z", "2026-11-25T08:05:09.12Z", "2026-11-25t08:05:09.120999999z",
        "2026-11-25T10:05:09.12+02:00", "2026-11-25T00:35:09.12-07:30",
        "2026-11-25T08:05:09.1200000000000000000000-00:00"}) {
    EXPECT_EQ(from_rfc3339(text), expected) << text;
  }
  EXPECT_EQ(from_rfc3339("1970-01-01T00:00:00Z"), Timestamp{0});
}

TEST(Rfc3339, reads_a_leap_second_only_at_the_end_of_a_utc_day) {
  EXPECT_EQ(from_rfc3339("2016-12-31T23:59:60Z"), from_rfc3339("2017-01-01T00:00:00Z"));
  EXPECT_EQ(from_rfc3339("2017-01-01T01:59:60.5+02:00"), from_rfc3339("2017-01-01T00:00:00.5Z"));
  EXPECT_FALSE(from_rfc3339("2016-12-31T23:58:60Z"));
  EXPECT_FALSE(from_rfc3339("2016-12-31T23:59:60+01:00"));
}

TEST(Rfc3339, refuses_what_is_not_a_date_time) {
  for (const char* text : {"",
                           "2026",
                           "2026-11-25",
                           "2026-11-25T08:05Z",
                           "2026-11-25T08:05:09",
                           "2026-11-25T08:05:09.Z",
                           "2026-11-25 08:05:09Z",
                           "2026-11-25T08:05:09,1Z",
                           "2026-11-25T08:05:09Z ",
                           " 2026-11-25T08:05:09Z",
                           "2026-11-25T08:05:09+0200",
                           "2026-11-25T08:05:09+02",
                           "2026-11-25T08:05:09+24:00",
                           "2026-11-25T08:05:09+00:60",
                           "2026-13-25T08:05:09Z",
                           "2026-00-25T08:05:09Z",
                           "2026-11-31T08:05:09Z",
                           "2026-11-00T08:05:09Z",
                           "2026-02-29T08:05:09Z",
                           "1900-02-29T08:05:09Z",
                           "2026-11-25T24:00:00Z",
                           "2026-11-25T08:60:09Z",
                           "2026-11-25T08:05:61Z",
                           "+026-11-25T08:05:09Z",
                           "12026-11-25T08:05:09Z",
                           "2026-1-25T08:05:09Z",
                           "2026-11-25T08:05:09ZZ"}) {
    EXPECT_FALSE(from_rfc3339(text)) << text;
  }
}

TEST(Rfc3339, reads_back_what_it_writes) {
  std::mt19937_64 random(3);
  std::uniform_int_distribution<std::int64_t> any(-62'167'219'200'000, 253'402'300'799'999);
  for (int i = 0; i < 20'000; ++i) {
    const Timestamp time{any(random)};

    EXPECT_EQ(from_rfc3339(to_rfc3339(time)), time);
  }
}

TEST(Rfc3339, orders_texts_as_it_orders_times) {
  std::string before = to_rfc3339(Timestamp{-62'167'219'200'000});
  for (std::int64_t day = -719'527; day < 2'932'896; day += 13) {
    const std::string text = to_rfc3339(Timestamp{day * 86'400'000});

    EXPECT_LT(before, text);
    before = text;
  }
}

}  // namespace
}  // namespace catbird
