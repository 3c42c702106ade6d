// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"
#include "xrpc/endpoint.hpp"
#include "xrpc/rate_limiter.hpp"

#include <atomic>
#include <chrono>

namespace catbird::xrpc {

/// Set by app/ while the process starts and drains; read by /health/ready.
struct Readiness {
  std::atomic<bool> accepting{false};
};

/// Every request enters here: /xrpc/<NSID> through the endpoint table with its guards in one order
/// (method, token, rate, body), and the operators' pages beside it. Called on any worker.
class Router {
 public:
  /// Both outlive the router, and the router every request.
  Router(Services& services, Readiness& readiness);
  void handle(http::Request request, http::Respond respond);

 private:
  void call_method(http::Request request, http::Respond respond);
  void authenticated(const Endpoint& endpoint, Call call, http::Respond respond);
  void health(http::Respond respond);
  void ready(http::Respond respond);
  http::Response metrics_page(const http::Request& request);
  http::Response did_document() const;

  Services& services_;
  Readiness& readiness_;
  RateLimiter by_address_;
};

}  // namespace catbird::xrpc
