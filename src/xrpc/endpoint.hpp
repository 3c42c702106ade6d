// SPDX-License-Identifier: MIT
#pragma once

#include "core/types.hpp"
#include "http/message.hpp"
#include "xrpc/input.hpp"
#include "xrpc/services.hpp"
#include "xrpc/task.hpp"

#include <span>
#include <string_view>

namespace catbird::xrpc {

/// One authenticated request. Passed by value: coroutines must not keep references to parameters.
struct Call {
  Services* services = nullptr;
  core::Caller caller;
  http::Request request;
};

using Handler = Task<http::Response> (*)(Call);

/// One method of the API. The row carries every guard, so that no route can miss one: the router
/// applies auth (with lxm = nsid), the HTTP method, the rate class and the body rules from here.
struct Endpoint {
  std::string_view nsid;
  http::Method method;
  RateClass rate;
  Handler handler;
  /// Who calls is not said by a service token: the handler itself demands a ticket.
  bool by_ticket = false;
};

/// Every method the server answers: the table of contents of the API.
std::span<const Endpoint> endpoints();
/// Nothing for a method this server does not have.
const Endpoint* find_endpoint(std::string_view nsid);

}  // namespace catbird::xrpc
