// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace catbird::http {

/// Which addresses a fetch may connect to (quality S7): decided on the address actually connected
/// to, after DNS, so that a name cannot rebind to an inner one.
enum class Reach {
  public_only,   // https, port 443, public unicast addresses only
  operator_url,  // the operator's own directory URL: http or https, any port, any address
  development,   // public_only, or loopback over http/https on any port (CATBIRD_DEV=true)
};

struct FetchRequest {
  std::string url;
  Reach reach = Reach::public_only;
  std::string accept = "application/json";
  std::size_t body_bytes_max = 64 * 1024;
  std::chrono::milliseconds deadline{3'000};  // whole exchange, DNS included
};
struct FetchReply {
  int status = 0;
  std::string body;
};
using FetchDone = std::move_only_function<void(Result<FetchReply>)>;

/// Outbound GET for DID documents: no redirects followed, certificate and host name verified
/// against the system store, at most 32 exchanges in flight (more fail with `overloaded`).
/// `get` may be called from any thread; `done` runs on the io_context, which one thread runs and
/// which must outlive the Fetcher. Redirects are answers like any other: the caller sees the 3xx.
///
/// Fails with: invalid_request (a URL or address that `reach` forbids: nothing was sent there),
/// overloaded, deadline, message_too_large (more than body_bytes_max), storage_unavailable (no
/// such name, no connection, a certificate that does not hold, no HTTP: all the other side's).
class Fetcher {
 public:
  static std::unique_ptr<Fetcher> create(boost::asio::io_context& io);
  virtual ~Fetcher() = default;
  virtual void get(FetchRequest request, FetchDone done) = 0;
};

/// True for an address that S7 allows under public_only: not private, loopback, link-local,
/// multicast, unspecified, documentation, CGNAT, or a mapped/translated form of one.
bool is_public_address(const std::string& address);

}  // namespace catbird::http
