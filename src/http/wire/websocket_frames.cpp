// SPDX-License-Identifier: MIT
#include "http/wire/websocket_frames.hpp"

#include "base/check.hpp"

#include <openssl/evp.h>

#include <algorithm>

namespace catbird::http {

namespace {

constexpr std::string_view accept_suffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::size_t key_bytes = 16;
constexpr std::size_t key_characters = 24;
constexpr std::size_t control_bytes_max = 125;
constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t mask_bit = 0x80;

enum Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close_op = 0x8,
  ping_op = 0x9,
  pong_op = 0xa,
};

std::string frame(Opcode opcode, std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + 10);
  out.push_back(static_cast<char>(final_bit | opcode));
  const auto size = static_cast<std::uint64_t>(payload.size());
  auto number = [&](int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
      out.push_back(static_cast<char>(size >> static_cast<unsigned>(shift)));
    }
  };
  if (size < 126) {
    out.push_back(static_cast<char>(size));
  } else if (size <= 0xffff) {
    out.push_back(126);
    number(2);
  } else {
    out.push_back(127);
    number(8);
  }
  return out.append(payload);
}

/// §7.4: what a peer may say.
bool is_close_code(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key).append(accept_suffix);
  std::array<std::uint8_t, 20> digest{};
  unsigned size = 0;
  CATBIRD_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) ==
                1);
  return to_base64(digest);
}

bool is_websocket_key(std::string_view key) {
  if (key.size() != key_characters) return false;
  const auto bytes = from_base64(key);
  return bytes && bytes->size() == key_bytes;
}

std::string binary_frame(ByteView payload) { return frame(binary, text_of(payload)); }
std::string ping_frame() { return frame(ping_op, {}); }
std::string pong_frame(std::string_view payload) { return frame(pong_op, payload); }

std::string close_frame(std::uint16_t code, std::string_view reason) {
  std::string payload;
  payload.push_back(static_cast<char>(code >> 8U));
  payload.push_back(static_cast<char>(code & 0xffU));
  payload.append(reason.substr(0, control_bytes_max - 2));
  return frame(close_op, payload);
}

ClientFrames::Heard ClientFrames::feed(std::string_view bytes) {
  Heard heard;
  while (!over_ && !bytes.empty()) {
    if (in_payload_ || read_header(bytes, heard)) {
      take_payload(bytes);
      if (left_ == 0) end_frame(heard);
    }
    over_ = heard.violation || heard.close;
  }
  return heard;
}

/// True once a whole header is there and accepted.
bool ClientFrames::read_header(std::string_view& bytes, Heard& heard) {
  auto needed = [this]() -> std::size_t {
    if (header_size_ < 2) return 2;
    const auto length = static_cast<std::uint8_t>(header_[1] & 0x7fU);
    const std::size_t extended = length == 126 ? 2 : length == 127 ? 8 : 0;
    return 2 + extended + ((header_[1] & mask_bit) != 0 ? 4 : 0);
  };
  while (header_size_ < needed()) {
    if (bytes.empty()) return false;
    header_[header_size_++] = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
  }
  return accept_header(heard);
}

bool ClientFrames::accept_header(Heard& heard) {
  const bool final = (header_[0] & final_bit) != 0;
  opcode_ = header_[0] & 0x0fU;
  const bool masked = (header_[1] & mask_bit) != 0;
  const auto length = static_cast<std::uint8_t>(header_[1] & 0x7fU);
  left_ = length;
  std::size_t at = 2;
  if (length >= 126) {
    const std::size_t bytes = length == 126 ? 2 : 8;
    left_ = 0;
    for (std::size_t i = 0; i < bytes; ++i) left_ = (left_ << 8U) | header_[at++];
    // §5.2: the shortest form, and never the topmost bit.
    if (left_ <= (length == 126 ? 125U : 0xffffU) || (left_ >> 63U) != 0) {
      heard.violation = close_protocol_error;
      return false;
    }
  }
  if (masked) std::copy_n(header_.begin() + static_cast<std::ptrdiff_t>(at), 4, mask_.begin());
  header_size_ = 0;
  masked_ = 0;
  control_.clear();
  in_payload_ = true;
  const bool reserved = (header_[0] & 0x70U) != 0;
  bool sound = masked && !reserved;
  if (is_control()) {
    sound = sound && final && left_ <= control_bytes_max && opcode_ <= pong_op;
  } else {
    sound = sound && opcode_ <= binary && (opcode_ == continuation) == in_message_;
    if (!in_message_) message_bytes_ = 0;
    if (sound && left_ > message_bytes_max_ - message_bytes_) {
      heard.violation = close_too_big;
      return false;
    }
    message_bytes_ += sound ? left_ : 0;
    in_message_ = !final;
  }
  if (!sound) heard.violation = close_protocol_error;
  return sound;
}

void ClientFrames::take_payload(std::string_view& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  if (is_control()) {
    for (std::size_t i = 0; i < count; ++i) {
      control_.push_back(
          static_cast<char>(static_cast<std::uint8_t>(bytes[i]) ^ mask_.at(masked_++ % 4)));
    }
  }
  bytes.remove_prefix(count);
  left_ -= count;
}

void ClientFrames::end_frame(Heard& heard) {
  in_payload_ = false;
  if (opcode_ == ping_op) heard.ping = control_;
  if (opcode_ != close_op) return;
  if (control_.empty()) {
    heard.close = close_normal;
    return;
  }
  if (control_.size() < 2) {
    heard.violation = close_protocol_error;
    return;
  }
  const auto code = static_cast<std::uint16_t>((static_cast<std::uint8_t>(control_[0]) << 8U) |
                                               static_cast<std::uint8_t>(control_[1]));
  if (is_close_code(code)) {
    heard.close = code;
  } else {
    heard.violation = close_protocol_error;
  }
}

}  // namespace catbird::http
