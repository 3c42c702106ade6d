// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "http/message.hpp"

#include <string_view>

namespace catbird::xrpc {

struct ErrorRow {
  Errc code;
  int status;
  std::string_view name;     // the lexicon's error name, or one of our own where it declares none
  std::string_view message;  // what is said when the error carries no detail
  unsigned retry_after_seconds;  // 0: no Retry-After
};

/// Every Errc has a row (a test walks them).
const ErrorRow& error_row(Errc code);

/// JSON {error,message}, with Retry-After where waiting helps. A PDS proxy keeps only these two
/// fields, so whatever a client needs is in the message too (contract README 4).
/// `stale_name` replaces EpochMismatch: clients of sendMessage switch on the plain status, so there
/// the undeclared `Conflict` is said (DECISIONS 11).
http::Response error_response(const Error& error, std::string_view stale_name = {});

/// An error outside the table, e.g. 405 for a wrong method.
http::Response plain_error(int status, std::string_view name, std::string_view message);

}  // namespace catbird::xrpc
