// SPDX-License-Identifier: MIT
#include "race/wire.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace catbird::race {

namespace {

constexpr int answer_ceiling_seconds = 60;  // Against hangs; not a measurement.
constexpr std::size_t chunk_bytes = 16UL * 1024;

std::optional<std::size_t> content_length(std::string head) {
  constexpr std::string_view name = "\r\ncontent-length: ";
  std::ranges::transform(head, head.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  const auto at = head.find(name);
  if (at == std::string::npos) return std::nullopt;
  std::size_t length = 0;
  std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
  return length;
}

}  // namespace

std::optional<HttpAnswer> Connection::exchange(const std::string& request) {
  // A connection that the server closed while idle says so only now; nothing was sent on it yet.
  char probe = 0;
  if (socket_ >= 0 && ::recv(socket_, &probe, 1, MSG_PEEK | MSG_DONTWAIT) == 0) close();
  if (socket_ < 0 && !connect()) return std::nullopt;
  auto answer = write_all(request) ? read_answer() : std::nullopt;
  if (!answer) close();
  return answer;
}

bool Connection::connect() {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval ceiling{answer_ceiling_seconds, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &ceiling, sizeof ceiling);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return true;
  }
  close();
  return false;
}

bool Connection::write_all(const std::string& request) const {
  std::size_t sent = 0;
  while (sent < request.size()) {
    const auto some = ::send(socket_, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (some <= 0) return false;
    sent += static_cast<std::size_t>(some);
  }
  return true;
}

std::optional<HttpAnswer> Connection::read_answer() {
  std::string text;
  std::array<char, chunk_bytes> chunk{};
  std::size_t body_at = 0;
  std::size_t whole = 0;
  while (whole == 0 || text.size() < whole) {
    const auto some = ::recv(socket_, chunk.data(), chunk.size(), 0);
    if (some <= 0) return std::nullopt;
    text.append(chunk.data(), static_cast<std::size_t>(some));
    if (whole != 0) continue;
    const auto end = text.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const auto length = content_length(text.substr(0, end));
    if (!length) return std::nullopt;
    body_at = end + 4;
    whole = body_at + *length;
  }
  constexpr std::size_t status_at = 9;  // "HTTP/1.1 "
  HttpAnswer answer;
  std::from_chars(text.data() + status_at, text.data() + text.size(), answer.status);
  answer.body = text.substr(body_at);
  const bool last = text.find("onnection: close") < body_at;
  if (last) close();
  return answer;
}

void Connection::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

}  // namespace catbird::race
