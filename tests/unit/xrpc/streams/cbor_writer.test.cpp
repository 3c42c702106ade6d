// SPDX-License-Identifier: MIT
#include "xrpc/streams/cbor_writer.hpp"

#include <gtest/gtest.h>

#include <string>

namespace catbird::xrpc {
namespace {

std::string number(std::uint64_t value) { return to_hex(CborWriter().number(value).take()); }

TEST(CborWriter, integers_take_the_shortest_form) {
  // RFC 8949, Appendix A.
  EXPECT_EQ(number(0), "00");
  EXPECT_EQ(number(23), "17");
  EXPECT_EQ(number(24), "1818");
  EXPECT_EQ(number(255), "18ff");
  EXPECT_EQ(number(256), "190100");
  EXPECT_EQ(number(65'535), "19ffff");
  EXPECT_EQ(number(65'536), "1a00010000");
  EXPECT_EQ(number(0xffffffff), "1affffffff");
  EXPECT_EQ(number(1'000'000'000'000), "1b000000e8d4a51000");
}

TEST(CborWriter, bytes_are_major_type_two_and_text_is_three) {
  EXPECT_EQ(to_hex(CborWriter().bytes(Bytes{1, 2, 3, 4}).take()), "4401020304");
  EXPECT_EQ(to_hex(CborWriter().text("IETF").take()), "6449455446");
  EXPECT_EQ(to_hex(CborWriter().text("ü").take()), "62c3bc");
  EXPECT_EQ(to_hex(CborWriter().boolean(true).boolean(false).take()), "f5f4");
}

TEST(CborWriter, keys_come_sorted_by_length_and_then_by_bytes) {
  CborMap inner;
  inner.number("x", 1);
  CborMap map;
  map.number("bb", 2).number("a", 1).map("c", std::move(inner)).text("ab", "t");
  EXPECT_EQ(to_hex(map.take()),
            "a4"
            "6161"
            "01"
            "6163"
            "a1617801"
            "626162"
            "6174"
            "626262"
            "02");
}

}  // namespace
}  // namespace catbird::xrpc
