// SPDX-License-Identifier: MIT
#include "xrpc/convos/rejoin_gate.hpp"

#include <gtest/gtest.h>

#include <string>

namespace catbird::xrpc {
namespace {

constexpr Timestamp start{1'800'000'000'000};
Timestamp at(std::int64_t seconds) { return Timestamp(start.value + seconds * 1000); }

Rejoin by(const std::string& device, std::uint8_t commit = 1, const std::string& convo = "aa") {
  Rejoin rejoin{.convo = core::ConvoId(convo),
                .device = {core::Did("did:web:alice.example"), core::DeviceId(device)}};
  rejoin.commit[0] = commit;
  return rejoin;
}

TEST(RejoinGate, lets_the_first_pass_and_makes_the_next_wait) {
  RejoinGate gate({});
  EXPECT_EQ(gate.wait_for(by("phone"), at(0)), 0U);
  gate.accepted(by("phone"), at(0));
  EXPECT_EQ(gate.wait_for(by("phone", 2), at(1)), 59U);
  EXPECT_EQ(gate.wait_for(by("laptop", 3), at(1)), 29U);
  EXPECT_EQ(gate.wait_for(by("phone", 2, "bb"), at(1)), 0U) << "another conversation";
  EXPECT_EQ(gate.wait_for(by("laptop", 3), at(30)), 0U);
  EXPECT_EQ(gate.wait_for(by("phone", 2), at(60)), 0U);
}

TEST(RejoinGate, lets_a_repetition_pass_and_counts_it_once) {
  RejoinGate gate({.storm_max = 2,
                   .device_pause = std::chrono::seconds(0),
                   .convo_pause = std::chrono::seconds(0)});
  gate.accepted(by("phone"), at(0));
  EXPECT_EQ(gate.wait_for(by("phone"), at(1)), 0U);
  gate.accepted(by("phone"), at(1));
  EXPECT_EQ(gate.wait_for(by("laptop", 2), at(1)), 0U) << "one of two so far";
}

TEST(RejoinGate, breaks_a_storm) {
  RejoinGate gate({});
  for (int i = 0; i < 5; ++i) {
    const auto rejoin = by("device " + std::to_string(i), static_cast<std::uint8_t>(i));
    ASSERT_EQ(gate.wait_for(rejoin, at(i * 40)), 0U);
    gate.accepted(rejoin, at(i * 40));
  }
  EXPECT_EQ(gate.wait_for(by("another", 9), at(200)), 100U) << "until the first is 300 s old";
  EXPECT_EQ(gate.wait_for(by("another", 9), at(300)), 0U);
}

TEST(RejoinGate, is_off_at_zero) {
  RejoinGate gate({.storm_max = 0});
  gate.accepted(by("phone"), at(0));
  EXPECT_EQ(gate.wait_for(by("phone", 2), at(0)), 0U);
}

TEST(RejoinGate, knows_since_when_a_device_has_come) {
  RejoinGate gate({});
  gate.accepted(by("phone"), at(10));
  EXPECT_TRUE(gate.knows(by("phone", 2), at(10)));
  EXPECT_FALSE(gate.knows(by("phone", 2), at(11)));
  EXPECT_FALSE(gate.knows(by("laptop"), at(0)));
}

TEST(RejoinGate, is_not_held_up_by_a_clock_that_went_back) {
  RejoinGate gate({});
  gate.accepted(by("phone"), at(1000));
  EXPECT_EQ(gate.wait_for(by("phone", 2), at(0)), 0U);
}

}  // namespace
}  // namespace catbird::xrpc
