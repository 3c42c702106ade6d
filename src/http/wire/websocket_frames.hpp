// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The framing of RFC 6455, as far as a server that only sends needs it. No sockets, no clock.

namespace catbird::http {

/// Close codes (RFC 6455 §7.4.1, and 1013 of the registry).
inline constexpr std::uint16_t close_normal = 1000;
inline constexpr std::uint16_t close_going_away = 1001;
inline constexpr std::uint16_t close_protocol_error = 1002;
inline constexpr std::uint16_t close_policy = 1008;
inline constexpr std::uint16_t close_too_big = 1009;
inline constexpr std::uint16_t close_try_again = 1013;

/// Sec-WebSocket-Accept for a client's Sec-WebSocket-Key (§4.2.2).
std::string websocket_accept(std::string_view key);
/// 24 characters of base64 that say 16 bytes (§4.1).
bool is_websocket_key(std::string_view key);

std::string binary_frame(ByteView payload);
std::string ping_frame();
std::string pong_frame(std::string_view payload);
/// `reason` is cut at 123 bytes.
std::string close_frame(std::uint16_t code, std::string_view reason);

/// Reads what a client sends. Its messages mean nothing here: they are checked and dropped, without
/// being kept; pings and the close are told.
class ClientFrames {
 public:
  struct Heard {
    std::optional<std::string> ping;         // payload of the newest ping
    std::optional<std::uint16_t> close;      // the client's close code; 1000 if it named none
    std::optional<std::uint16_t> violation;  // close code for what it did wrong; nothing follows
  };
  /// `message_bytes_max`: of one message over all its frames.
  explicit ClientFrames(std::size_t message_bytes_max) : message_bytes_max_(message_bytes_max) {}
  Heard feed(std::string_view bytes);

 private:
  static constexpr std::size_t header_bytes_max = 14;

  bool read_header(std::string_view& bytes, Heard& heard);
  bool accept_header(Heard& heard);
  void take_payload(std::string_view& bytes);
  void end_frame(Heard& heard);
  bool is_control() const { return opcode_ >= 0x8; }

  const std::size_t message_bytes_max_;
  std::array<std::uint8_t, header_bytes_max> header_{};
  std::size_t header_size_ = 0;
  bool in_payload_ = false;
  std::uint8_t opcode_ = 0;
  std::array<std::uint8_t, 4> mask_{};
  std::uint64_t left_ = 0;
  std::size_t masked_ = 0;
  std::string control_;  // payload of a control frame: at most 125 bytes
  bool in_message_ = false;
  std::uint64_t message_bytes_ = 0;
  bool over_ = false;
};

}  // namespace catbird::http
