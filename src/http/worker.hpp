// SPDX-License-Identifier: MIT
#pragma once

#include "http/address.hpp"
#include "http/server.hpp"
#include "http/wire/response_head.hpp"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>

namespace catbird::http {

class Connection;

/// What all workers share. Written before they run, except the counters.
struct ServerState {
  ServerLimits limits;
  CidrSet trusted_proxies;
  Handler handler;
  std::atomic<bool> draining{false};
  std::atomic<std::size_t> open{0};          // admitted connections
  std::atomic<std::size_t> refused{0};       // being told 503
  std::atomic<std::size_t> body_bytes{0};    // of requests still being read
  std::atomic<std::size_t> unsent_bytes{0};  // of answers the sockets have no room for
  /// A connection is gone; called on its worker's thread after the counters changed.
  std::function<void(const IpAddress& peer, bool admitted)> on_gone;
};

/// An accepted socket on its way to its worker.
struct Accepted {
  int descriptor = -1;
  IpAddress peer;
  bool over_cap = false;  // gets a 503 and nothing else
};

/// One io_context's share of the server: owns its connections and times their deadlines. Every
/// member is touched on that io_context's thread only.
class Worker {
 public:
  using Clock = std::chrono::steady_clock;

  Worker(boost::asio::io_context& io, ServerState& state);
  ~Worker();  // closes every connection; only once nothing runs the io_context any more

  void adopt(const Accepted& accepted);
  void drain();
  void forget(const Connection& connection);

  bool draining() const { return state_.draining.load(); }
  ServerState& state() { return state_; }
  boost::asio::io_context& io() { return io_; }
  /// Shared by all connections: one reads and parses in one turn, and keeps only what is left,
  /// so an idle connection owns no buffer.
  std::array<char, 64 * 1024>& read_buffer() { return read_buffer_; }
  std::string_view date() { return date_.at(std::time(nullptr)); }

 private:
  void arm_sweep();
  void sweep();

  boost::asio::io_context& io_;
  ServerState& state_;
  boost::asio::steady_timer sweep_timer_;
  std::chrono::milliseconds sweep_period_;
  bool sweep_armed_ = false;
  DateText date_;
  // shared_ptr because pending socket operations and posted answers also keep a connection alive.
  std::unordered_map<const Connection*, std::shared_ptr<Connection>> connections_;
  std::array<char, 64 * 1024> read_buffer_;
};

}  // namespace catbird::http
