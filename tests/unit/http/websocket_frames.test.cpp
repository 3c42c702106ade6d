// SPDX-License-Identifier: MIT
#include "http/wire/websocket_frames.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace catbird::http {
namespace {

constexpr std::size_t message_max = 1000;

/// A client's frame: masked, as RFC 6455 §5.3 demands.
std::string client_frame(unsigned first, std::string_view payload, bool masked = true) {
  std::string out;
  out.push_back(static_cast<char>(first));
  const auto bit = masked ? 0x80U : 0U;
  if (payload.size() < 126) {
    out.push_back(static_cast<char>(bit | payload.size()));
  } else {
    out.push_back(static_cast<char>(bit | 126U));
    out.push_back(static_cast<char>(payload.size() >> 8U));
    out.push_back(static_cast<char>(payload.size() & 0xffU));
  }
  if (!masked) return out.append(payload);
  const std::string mask = "\x12\x34\x56\x78";
  out += mask;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    out.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  }
  return out;
}

ClientFrames::Heard hear(const std::string& bytes) { return ClientFrames(message_max).feed(bytes); }

TEST(WebSocketFrames, accept_is_the_one_of_the_rfc) {
  // RFC 6455 §1.3.
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_TRUE(is_websocket_key("dGhlIHNhbXBsZSBub25jZQ=="));
  for (const auto* key :
       {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=!", "dGhlIHNhbXBsZSBub25jZTEyMzQ="}) {
    EXPECT_FALSE(is_websocket_key(key)) << key;
  }
}

TEST(WebSocketFrames, lengths_take_the_shortest_form) {
  const auto header = [](std::size_t size) {
    const auto frame = binary_frame(Bytes(size, 7));
    EXPECT_EQ(frame.size() - size, size < 126 ? 2U : size <= 0xffff ? 4U : 10U);
    return frame.substr(0, frame.size() - size);
  };
  EXPECT_EQ(header(0), std::string("\x82\x00", 2));
  EXPECT_EQ(header(125), "\x82\x7d");
  EXPECT_EQ(header(126), std::string("\x82\x7e\x00\x7e", 4));
  EXPECT_EQ(header(65'535), "\x82\x7e\xff\xff");
  EXPECT_EQ(header(65'536), std::string("\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10));
  EXPECT_EQ(ping_frame(), std::string("\x89\x00", 2));
  EXPECT_EQ(pong_frame("hi"), "\x8a\x02hi");
  EXPECT_EQ(close_frame(1001, "bye"),
            "\x88\x05\x03\xe9"
            "bye");
  EXPECT_EQ(close_frame(1000, std::string(500, 'x')).size(), 127U);
}

TEST(WebSocketFrames, pings_and_the_close_are_heard_and_messages_are_dropped) {
  const auto heard = hear(client_frame(0x81, "text") + client_frame(0x89, "one") +
                          client_frame(0x82, std::string(300, 'b')) + client_frame(0x89, "two"));
  EXPECT_EQ(heard.ping, "two");
  EXPECT_FALSE(heard.close || heard.violation);
  EXPECT_EQ(hear(client_frame(0x8a, "pong")).ping, std::nullopt);
  EXPECT_EQ(hear(client_frame(0x88, "")).close, close_normal);
  EXPECT_EQ(hear(client_frame(0x88, "\x03\xe9 why")).close, close_going_away);
  const auto after = hear(client_frame(0x88, "") + client_frame(0x81, "", false));
  EXPECT_EQ(after.close, close_normal);
  EXPECT_FALSE(after.violation) << "what follows a close is not looked at";
}

TEST(WebSocketFrames, fragments_of_one_message_count_together) {
  EXPECT_FALSE(
      hear(client_frame(0x01, "a") + client_frame(0x89, "") + client_frame(0x80, "b")).violation);
  const std::string half(600, 'x');
  EXPECT_EQ(hear(client_frame(0x02, half) + client_frame(0x80, half)).violation, close_too_big);
  EXPECT_FALSE(hear(client_frame(0x82, half) + client_frame(0x82, half)).violation);
}

TEST(WebSocketFrames, what_no_client_may_send_is_a_violation) {
  const std::vector<std::string> wrong = {
      client_frame(0x81, "x", false),                       // not masked
      client_frame(0xc1, "x"),                              // a reserved bit
      client_frame(0x83, "x"),                              // no such opcode
      client_frame(0x8b, ""),                               // no such control opcode
      client_frame(0x09, ""),                               // a control frame in pieces
      client_frame(0x89, std::string(126, 'x')),            // a long control frame
      client_frame(0x80, "x"),                              // a continuation of nothing
      client_frame(0x01, "x") + client_frame(0x81, "y"),    // a message inside another
      client_frame(0x88, "x"),                              // half a close code
      client_frame(0x88, std::string("\x03\xed", 2)),       // 1005 is never sent
      client_frame(0x88, std::string("\x00\x01", 2)),       // no such code
      std::string("\x82\xfe\x00\x01\x00\x00\x00\x00x", 9),  // not the shortest form
      std::string("\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 14),
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    EXPECT_EQ(hear(wrong[i]).violation, close_protocol_error) << i;
  }
  EXPECT_EQ(
      hear(std::string("\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", 14)).violation,
      close_too_big);
}

TEST(WebSocketFrames, arrive_in_any_pieces) {
  const auto all = client_frame(0x81, std::string(400, 'x')) + client_frame(0x01, "a") +
                   client_frame(0x89, "ping") + client_frame(0x80, "") + client_frame(0x88, "");
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    ClientFrames frames(message_max);
    std::optional<std::string> ping;
    std::optional<std::uint16_t> close;
    for (std::size_t at = 0; at < all.size();) {
      const auto size = std::uniform_int_distribution<std::size_t>(0, 9)(random);
      auto heard = frames.feed(std::string_view(all).substr(at, size));
      at += size;
      ASSERT_FALSE(heard.violation) << seed;
      if (heard.ping) ping = heard.ping;
      if (heard.close) close = heard.close;
    }
    EXPECT_EQ(ping, "ping") << seed;
    EXPECT_EQ(close, close_normal) << seed;
  }
}

}  // namespace
}  // namespace catbird::http
