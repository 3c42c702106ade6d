// SPDX-License-Identifier: MIT
#include "bench/process.hpp"
#include "support/auth_signer.hpp"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string>

namespace catbird::bench {

namespace {

std::string read_head(int peer) {
  std::string text;
  std::array<char, 4096> chunk{};
  while (text.find("\r\n\r\n") == std::string::npos) {
    const auto some = ::recv(peer, chunk.data(), chunk.size(), 0);
    if (some <= 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(some));
  }
  return text;
}

/// Of "GET /did:plc:… HTTP/1.1"; the colons may be encoded.
std::string did_in(const std::string& head) {
  const auto from = head.find('/') + 1;
  auto did = head.substr(from, head.find(' ', from) - from);
  for (std::size_t at = 0; (at = did.find("%3A")) != std::string::npos;) did.replace(at, 3, ":");
  return did;
}

}  // namespace

DidDirectory::DidDirectory(std::string multikey) : multikey_(std::move(multikey)) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  if (socket_ < 0 || ::bind(socket_, any, size) != 0 || ::listen(socket_, SOMAXCONN) != 0 ||
      ::getsockname(socket_, any, &size) != 0) {
    throw std::runtime_error("the DID directory cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

DidDirectory::~DidDirectory() {
  ::shutdown(socket_, SHUT_RDWR);
  thread_.join();
  ::close(socket_);
}

std::string DidDirectory::url() const { return fmt::format("http://127.0.0.1:{}", port_); }

void DidDirectory::serve() {
  while (true) {
    const int peer = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
    if (peer < 0) return;
    const auto head = read_head(peer);
    const auto did = did_in(head);
    const auto body = test::did_document(did, multikey_);
    const auto answer = fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: application/did+ld+json\r\nContent-Length: {}\r\n"
        "Connection: close\r\n\r\n{}",
        body.size(), body);
    ::send(peer, answer.data(), answer.size(), MSG_NOSIGNAL);
    ::close(peer);
  }
}

}  // namespace catbird::bench
