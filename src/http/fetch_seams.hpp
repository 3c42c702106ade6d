// SPDX-License-Identifier: MIT
#pragma once

#include "http/address.hpp"
#include "http/fetch.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace catbird::http {

/// What a test replaces in a Fetcher; production uses the defaults of Fetcher::create.
struct FetchSeams {
  /// Name to addresses, in order of preference; empty: no such name. Blocks; runs on resolver
  /// threads only.
  std::function<std::vector<IpAddress>(const std::string& host)> resolve;
  /// PEM certificates trusted in place of the system store; empty: the system store.
  std::string trusted_pem;
  /// Told each address just before the socket connects to it; may be empty. On the io_context.
  std::function<void(const IpAddress& address, std::uint16_t port)> connecting;
};

/// getaddrinfo(3).
std::vector<IpAddress> resolve_by_system(const std::string& host);

std::unique_ptr<Fetcher> make_fetcher(boost::asio::io_context& io, FetchSeams seams);

}  // namespace catbird::http
