// SPDX-License-Identifier: MIT
#include "support/mls_samples.hpp"

#include <gtest/gtest.h>

namespace catbird::testing {
namespace {

Bytes message_of(std::size_t body_bytes) {
  return make_private_message({.group_id = Bytes(16, 7), .epoch = 1}, mls::ContentType::application,
                              Bytes(body_bytes, 0xee));
}

Bytes stripped(ByteView frame) {
  const auto message = mls::strip_padding(frame);
  return message ? Bytes(message->begin(), message->end()) : Bytes{};
}

TEST(StripPadding, finds_the_message_in_frames_of_every_size) {
  for (const std::size_t body : {0UL, 100UL, 440UL, 460UL, 3000UL, 8100UL, 9000UL, 70000UL}) {
    const auto message = message_of(body);
    EXPECT_EQ(stripped(pad(message)), message) << body;
  }
}

TEST(StripPadding, takes_a_bare_message_as_it_is) {
  const auto message = message_of(50);

  EXPECT_EQ(stripped(message), message);
}

TEST(StripPadding, takes_a_frame_without_any_padding) {
  const auto message = message_of(50);
  const auto frame = Writer().u32(static_cast<std::uint32_t>(message.size())).raw(message).take();

  EXPECT_EQ(stripped(frame), message);
}

TEST(StripPadding, refuses_padding_that_is_not_zero_anywhere) {
  const auto message = message_of(50);
  const auto frame = pad(message);

  for (auto i = message.size() + 4; i < frame.size(); ++i) {
    auto changed = frame;
    changed[i] = 1;
    EXPECT_FALSE(mls::strip_padding(changed));
  }
}

TEST(StripPadding, refuses_lengths_beyond_the_frame_and_what_is_no_message) {
  const auto message = message_of(50);
  const auto size = static_cast<std::uint32_t>(message.size());
  const auto too_long = Writer().u32(size + 1).raw(message).take();

  EXPECT_FALSE(mls::strip_padding(too_long));
  EXPECT_FALSE(mls::strip_padding({}));
  EXPECT_FALSE(mls::strip_padding(Bytes{0, 0, 0}));
  EXPECT_FALSE(mls::strip_padding(Bytes(512, 0)));
  EXPECT_FALSE(mls::strip_padding(Bytes(512, 0xff)));
}

TEST(StripPadding, is_not_misled_by_a_length_that_looks_like_a_header) {
  // 00 01 00 02: both the length 65538 and the header of a PrivateMessage.
  constexpr std::size_t wanted = 0x00010002;
  const auto message = message_of(wanted - message_of(65000).size() + 65000);
  ASSERT_EQ(message.size(), wanted);

  EXPECT_EQ(stripped(pad(message)), message);
}

TEST(StripPadding, is_not_misled_by_a_message_that_looks_like_a_frame) {
  // A bare KeyPackage or GroupInfo has "00 01, suite" behind its header, like a second header; at
  // exactly this size it would also fill a frame.
  const Signer alice(1, "alice");
  constexpr std::size_t wanted = 0x00010004 + 4;
  const auto sized = [&alice](std::size_t tag_bytes) {
    return make_group_info(alice, {.at = {.group_id = Bytes(16, 7), .epoch = 1},
                                   .confirmation_tag = std::string(tag_bytes, 't')});
  };
  const auto info = sized(65000 + wanted - sized(65000).size());
  ASSERT_EQ(info.size(), wanted);

  EXPECT_EQ(stripped(info), info);
}

}  // namespace
}  // namespace catbird::testing
