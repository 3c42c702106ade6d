// SPDX-License-Identifier: MIT
#pragma once

#include "http/server.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// A server on loopback and a blocking client for tests of the transport.

namespace catbird::test {

/// A raw TCP client. Every read gives up after the ceiling, so that a defect fails, not hangs.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0) {
    descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval const ceiling{20, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &ceiling, sizeof ceiling);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &ceiling, sizeof ceiling);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                   sizeof receive_buffer_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }
  void shut_sending() { ::shutdown(descriptor_, SHUT_WR); }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t const count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  /// Reads until `text` has arrived; what came behind it stays for the next call.
  std::string read_until(std::string_view text) {
    std::size_t at;
    while ((at = held_.find(text)) == std::string::npos) {
      if (!fill()) return std::exchange(held_, {}) + "<ended>";
    }
    std::string out = held_.substr(0, at + text.size());
    held_.erase(0, at + text.size());
    return out;
  }
  std::string read_bytes(std::size_t count) {
    while (held_.size() < count) {
      if (!fill()) return std::exchange(held_, {}) + "<ended>";
    }
    std::string out = held_.substr(0, count);
    held_.erase(0, count);
    return out;
  }
  /// Reads until the server closes in order; "<reset>" or "<timeout>" is appended otherwise.
  std::string read_to_end() {
    while (fill()) {
    }
    return std::exchange(held_, {}) + end_;
  }

  struct Reply {
    int status = 0;
    std::string head, body;
  };
  /// One response delimited by Content-Length (or without a body, for HEAD).
  Reply reply(bool head_only = false) {
    Reply reply;
    reply.head = read_until("\r\n\r\n");
    if (reply.head.size() > 12) reply.status = std::atoi(reply.head.c_str() + 9);
    auto const at = reply.head.find("content-length: ");
    if (head_only || at == std::string::npos) return reply;
    reply.body = read_bytes(std::strtoul(reply.head.c_str() + at + 16, nullptr, 10));
    return reply;
  }
  Reply ask(std::string_view request) {
    send(request);
    return reply();
  }

 private:
  bool fill() {
    char buffer[16 * 1024];
    ssize_t const count = ::recv(descriptor_, buffer, sizeof buffer, 0);
    if (count > 0) {
      held_.append(buffer, static_cast<std::size_t>(count));
      return true;
    }
    end_ = count == 0 ? "" : errno == EAGAIN ? "<timeout>" : "<reset>";
    return false;
  }

  int descriptor_ = -1;
  bool connected_ = false;
  std::string held_, end_;
};

/// io_contexts with a thread each; joined at the end.
class IoThreads {
 public:
  explicit IoThreads(std::size_t count = 1) {
    for (std::size_t i = 0; i < count; ++i) {
      contexts_.push_back(std::make_unique<boost::asio::io_context>(1));
      guards_.emplace_back(contexts_.back()->get_executor());
      threads_.emplace_back([io = contexts_.back().get()] { io->run(); });
    }
  }
  ~IoThreads() { stop(); }
  void stop() {
    for (auto& io : contexts_) io->stop();
    threads_.clear();
  }
  std::vector<boost::asio::io_context*> contexts() const {
    std::vector<boost::asio::io_context*> out;
    for (auto& io : contexts_) out.push_back(io.get());
    return out;
  }
  boost::asio::io_context& first() { return *contexts_.front(); }

 private:
  using Guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;
  std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
  std::vector<Guard> guards_;
  std::vector<std::jthread> threads_;
};

/// A running server on a free port of loopback.
class TestServer {
 public:
  explicit TestServer(http::Handler handler, http::ServerOptions options = {},
                      std::size_t workers = 1)
      : threads_(workers) {
    options.port = 0;
    auto started = http::Server::start(threads_.contexts(), std::move(options), std::move(handler));
    EXPECT_TRUE(started.has_value());
    if (started) server_ = *std::move(started);
  }
  ~TestServer() {
    threads_.stop();
    server_.reset();
  }
  std::uint16_t port() const { return server_->port(); }
  http::Server& server() { return *server_; }
  boost::asio::io_context& io() { return threads_.first(); }

  std::future<void> drain() {
    std::promise<void> done;
    auto future = done.get_future();
    server_->drain([done = std::move(done)]() mutable { done.set_value(); });
    return future;
  }

 private:
  IoThreads threads_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace catbird::test
