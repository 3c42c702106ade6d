// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "http/address.hpp"
#include "http/fetch.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace catbird::http {

/// The part of RFC 3986 an outbound fetch needs.
struct Url {
  bool tls = true;
  std::string host;                  // lower case; an IPv6 literal without brackets
  std::optional<IpAddress> literal;  // set when the host is an address
  std::uint16_t port = 443;
  std::string target;  // path and query, begins with '/'
  /// The Host header's value: brackets and a port where they belong.
  std::string authority() const;
};

/// Strict on purpose: what two parsers could read differently is refused (userinfo, fragments,
/// backslashes, escapes or non-ASCII in the host, numeric hosts in any but the canonical form,
/// trailing dots). Under public_only also: http, ports but 443, single-label and localhost names,
/// and literals of addresses that are not public. Fails with invalid_request.
Result<Url> parse_url(std::string_view text, Reach reach);

/// May this exchange connect to that address? Asked of every candidate after DNS.
bool may_connect(const Url& url, const IpAddress& address, Reach reach);

}  // namespace catbird::http
