// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace catbird::http {

/// Every limit of the transport, by name. Defaults are what production runs with.
struct ServerLimits {
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 16 * 1024 * 1024;
  std::size_t body_bytes_total_max = 512 * 1024 * 1024;    // of all bodies still being read
  std::size_t unsent_bytes_total_max = 512 * 1024 * 1024;  // of all answers readers leave waiting
  std::size_t connections_max = 10'000;
  std::size_t connections_per_peer_max = 0;  // 0: unlimited (one PDS carries all its users)
  std::chrono::milliseconds header_deadline{10'000};  // first byte of a request to end of headers
  std::chrono::milliseconds body_deadline{30'000};
  /// From the whole request to the handler's answer; then 503. The PDS proxy gives up after 10 s.
  std::chrono::milliseconds answer_deadline{9'000};
  std::chrono::milliseconds idle_deadline{120'000};  // keep-alive without a request
  std::chrono::milliseconds write_deadline{30'000};  // one write making no progress
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3000;  // 0: any free one
  std::vector<std::string> trusted_proxy_cidrs;
  ServerLimits limits;
};

/// HTTP/1.1 over plain TCP (TLS is the reverse proxy's job). Connections are spread over the given
/// io_contexts, each run by exactly one thread; a connection lives on one of them. Malformed
/// requests, over-limit headers and bodies get a JSON {error,message} 4xx/413/431 and never reach
/// the handler; the connection cap answers 503 with Retry-After and closes; so does a
/// request whose handler does not answer in time, whose outcome is then open.
///
/// drain(): stops accepting, lets requests in flight finish, closes idle connections and ends
/// streams; `done` is called on one of the io_contexts when the last connection is gone. A client
/// that stalls is cut after 4 s; a handler that never answers is waited for. Any thread may call
/// it, once.
/// The io_contexts must outlive the Server, and the Server must outlive their run(). `respond` may
/// be called or dropped later than that: it then does nothing. Dropping it unanswered is a 500.
class Server {
 public:
  /// Binds and listens; fails with a one-line reason (e.g. port in use).
  static Result<std::unique_ptr<Server>> start(std::vector<boost::asio::io_context*> workers,
                                               ServerOptions options, Handler handler);
  virtual ~Server() = default;
  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  virtual void drain(std::move_only_function<void()> done) = 0;
};

}  // namespace catbird::http
