// SPDX-License-Identifier: MIT
#include "mls/reader.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace catbird::mls {
namespace {

TEST(Reader, reads_lengths_of_all_three_sizes_up_to_the_largest) {
  const std::vector<std::pair<Bytes, std::uint32_t>> cases{
      {{0x00}, 0U},
      {{0x3f}, 63U},
      {{0x40, 0x40}, 64U},
      {{0x7f, 0xff}, 16383U},
      {{0x80, 0x00, 0x40, 0x00}, 16384U},
      {{0xbf, 0xff, 0xff, 0xff}, (1U << 30U) - 1}};

  for (const auto& [bytes, value] : cases) {
    Reader in(bytes);
    EXPECT_EQ(in.length("n"), value);
    EXPECT_TRUE(in.done() && !in.failed());
  }
}

TEST(Reader, refuses_lengths_that_are_not_minimal_or_begin_with_11_or_are_cut) {
  const std::vector<Bytes> cases{{},
                                 {0x40, 0x3f},
                                 {0x40, 0x00},
                                 {0xc0},
                                 {0xff, 0, 0, 0, 0},
                                 {0xc0, 0, 0x40, 0},
                                 {0x80, 0x00, 0x3f, 0xff},
                                 {0x40},
                                 {0x80, 0x01},
                                 {0x80, 0x00, 0x00, 0x01}};

  for (const auto& bytes : cases) {
    Reader in(bytes);
    EXPECT_EQ(in.length("n"), 0U);
    EXPECT_TRUE(in.failed()) << to_hex(bytes);
  }
}

TEST(Reader, refuses_a_vector_longer_than_what_remains) {
  const Bytes one_short{0x03, 'a', 'b'};
  const Bytes huge{0xbf, 0xff, 0xff, 0xff, 'a'};

  for (const auto& bytes : {one_short, huge}) {
    Reader in(bytes);
    EXPECT_TRUE(in.opaque("v").empty());
    EXPECT_TRUE(in.failed());
  }
}

TEST(Reader, takes_0_and_1_as_presence_and_nothing_else) {
  const Bytes bytes{0, 1, 2, 1};
  Reader in(bytes);

  EXPECT_FALSE(in.present("p"));
  EXPECT_TRUE(in.present("p"));
  EXPECT_FALSE(in.failed());
  EXPECT_FALSE(in.present("p"));
  EXPECT_TRUE(in.failed());
}

TEST(Reader, keeps_the_first_fault_and_has_nothing_left_after_it) {
  const Bytes bytes{0xff, 1, 2, 3};
  Reader in(bytes);
  in.length("first");

  EXPECT_EQ(in.u32("second"), 0U);
  in.reject("third", "other");

  EXPECT_TRUE(in.done());
  EXPECT_EQ(in.failure().error().code, Errc::malformed_mls);
  EXPECT_EQ(in.failure().error().detail, "first: length prefix 11");
}

TEST(Reader, reads_numbers_in_network_order) {
  const Bytes bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  Reader in(bytes);

  EXPECT_EQ(in.u8("n"), 0x01U);
  EXPECT_EQ(in.u16("n"), 0x0203U);
  EXPECT_EQ(in.u32("n"), 0x04050607U);
  EXPECT_EQ(in.u64("n"), 0x08090a0b0c0d0e0fU);
  EXPECT_TRUE(in.done() && !in.failed());
}

}  // namespace
}  // namespace catbird::mls
