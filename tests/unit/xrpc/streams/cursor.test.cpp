// SPDX-License-Identifier: MIT
#include "xrpc/streams/cursor.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace catbird::xrpc {
namespace {

TEST(StreamCursor, is_read_back_as_it_was) {
  for (const auto position : {std::uint64_t{0}, std::uint64_t{41}, std::uint64_t{1} << 60U,
                              std::numeric_limits<std::uint64_t>::max()}) {
    const StreamCursor cursor{"store-with-dashes", position};

    const auto read = decode_cursor(encode_cursor(cursor));

    ASSERT_TRUE(read.has_value()) << position;
    EXPECT_EQ(read->incarnation, cursor.incarnation);
    EXPECT_EQ(read->position, position);
  }
}

TEST(StreamCursor, sorts_as_text_like_its_position) {
  EXPECT_LT(encode_cursor({"i", 9}), encode_cursor({"i", 10}));
  EXPECT_LT(encode_cursor({"i", 99'999}), encode_cursor({"i", 100'000}));
}

TEST(StreamCursor, refuses_what_it_cannot_have_made) {
  for (const auto* text :
       {"", "-", "abc", "abc-", "abc-12", "-0000000000000001", "abc-000000000000000x",
        "abc-00000000000000-1", "abc-+000000000000001", "abc- 000000000000001", "0000000000000001",
        "abc-99999999999999999999999999", "abc-00000000000000001"}) {
    const auto read = decode_cursor(text);

    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().code, Errc::invalid_cursor) << text;
  }
  EXPECT_FALSE(decode_cursor(std::string(65, 'a') + "-0000000000000001").has_value());
}

}  // namespace
}  // namespace catbird::xrpc
