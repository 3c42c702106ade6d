// SPDX-License-Identifier: MIT
#include "xrpc/input.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace catbird::xrpc {
namespace {

Query parsed(std::string_view raw) {
  auto query = Query::parse(raw);
  EXPECT_TRUE(query.has_value()) << raw;
  return query ? std::move(*query) : Query();
}

TEST(Query, decodes_percent_escapes_and_plus) {
  const auto query = parsed("a%20b=c%2bd+e&did=did%3Aweb%3Ax%23dev&u=%c3%A9");

  EXPECT_EQ(query.text("a b"), "c+d e");
  EXPECT_EQ(query.text("did"), "did:web:x#dev");
  EXPECT_EQ(query.text("u"), "\xc3\xa9");
}

TEST(Query, takes_the_first_of_equal_names_and_keeps_empty_values) {
  const auto query = parsed("a=1&a=2&b=&c&&d=x=y");

  EXPECT_EQ(query.text("a"), "1");
  EXPECT_EQ(query.text("b"), "");
  EXPECT_EQ(query.text("c"), "");
  EXPECT_EQ(query.text("d"), "x=y");
  EXPECT_EQ(query.text("e"), std::nullopt);
}

TEST(Query, refuses_broken_escapes) {
  for (const auto* raw : {"a=%", "a=%4", "a=%4g", "a=%g4", "%=a", "a=1&b=%zz"}) {
    const auto query = Query::parse(raw);

    ASSERT_FALSE(query.has_value()) << raw;
    EXPECT_EQ(query.error().code, Errc::invalid_request) << raw;
  }
}

TEST(Query, takes_an_escape_at_the_very_end) { EXPECT_EQ(parsed("a=%41").text("a"), "A"); }

TEST(Query, refuses_text_that_is_not_utf8) {
  for (const auto* raw : {"a=%ff", "a=%c3", "a=%ed%a0%80", "%c0%80=1"}) {
    EXPECT_FALSE(Query::parse(raw).has_value()) << raw;
  }
}

// Neither C strings nor PostgreSQL's text can hold it.
TEST(Query, refuses_the_nul_character) {
  for (const auto* raw : {"a=%00", "a=b%00", "%00=a", "x=1&a=%00b"}) {
    const auto query = Query::parse(raw);

    ASSERT_FALSE(query.has_value()) << raw;
    EXPECT_EQ(query.error().code, Errc::invalid_request) << raw;
  }
}

TEST(Query, is_bounded) {
  std::string raw;
  for (int i = 0; i < 512; ++i) raw += "a=1&";

  EXPECT_TRUE(Query::parse(raw).has_value());
  EXPECT_FALSE(Query::parse(raw + "a=1").has_value());
}

TEST(Query, collects_lists_with_and_without_brackets_in_order) {
  const auto query = parsed("dids=a&dids[]=b&dids%5B%5D=c&other=d&dids=");

  EXPECT_EQ(query.list("dids"), (std::vector<std::string>{"a", "b", "c", ""}));
  EXPECT_TRUE(query.list("none").empty());
}

TEST(Query, requires_what_is_required) {
  const auto query = parsed("a=1&b=");

  EXPECT_EQ(*query.required("a"), "1");
  EXPECT_EQ(query.required("b").error().detail, "parameter b is missing");
  EXPECT_EQ(query.required("c").error().code, Errc::invalid_request);
}

TEST(Query, reads_integers_within_their_bounds) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto query = parsed("low=1&high=100&most=9223372036854775807&negative=-3");

  EXPECT_EQ(**query.integer("low", 1, 100), 1);
  EXPECT_EQ(**query.integer("high", 1, 100), 100);
  EXPECT_EQ(**query.integer("most", 0, most), most);
  EXPECT_EQ(**query.integer("negative", -5, 5), -3);
  EXPECT_EQ(*query.integer("absent", 1, 100), std::nullopt);
}

TEST(Query, refuses_numbers_that_are_none_or_out_of_bounds) {
  for (const auto* raw : {"n=0", "n=101", "n=", "n=1x", "n=x", "n=1.0", "n=%201", "n=+1", "n=-1",
                          "n=9223372036854775808", "n=0x10"}) {
    const auto number = parsed(raw).integer("n", 1, 100);

    ASSERT_FALSE(number.has_value()) << raw;
    EXPECT_EQ(number.error().detail, "parameter n must be an integer from 1 to 100") << raw;
  }
}

}  // namespace
}  // namespace catbird::xrpc
