// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Transport vocabulary: what a handler receives and returns. Knows nothing about XRPC.

namespace catbird::http {

enum class Method { get, head, post, other };

/// A complete request. `path` and `query` are raw (still percent-encoded); `query` without '?'.
/// `body` has at least 64 spare bytes of capacity behind its end (simdjson reads past it).
struct Request {
  Method method = Method::other;
  std::string path, query;
  std::string authorization;  // the header value, empty if absent
  std::string content_type;
  std::string websocket_key{};  // of a WebSocket handshake (RFC 6455 §4.2.1), else empty
  std::string peer;             // client address; from X-Forwarded-For only via a trusted proxy
  std::string body;
};

/// A streamed body, e.g. server-sent events. Pulled by the connection: when the socket can take
/// more it calls next(); the source answers exactly once, on any thread, with a chunk (sent at
/// once) or nothing (end of stream: the connection is closed). The connection calls cancel() when
/// the client goes away; a pending answer after that is ignored. Destroyed by the connection.
class BodySource {
 public:
  using Chunk = std::optional<std::string>;
  virtual ~BodySource() = default;
  virtual void next(std::move_only_function<void(Chunk)> answer) = 0;
  virtual void cancel() = 0;
};

/// A source that also hears its client, after 101 Switching Protocols: chunks go out as they are,
/// and what arrives is handed over as it comes, on the connection's thread.
class DuplexSource : public BodySource {
 public:
  virtual void received(std::string_view bytes) = 0;
  /// The last bytes when the server stops.
  virtual std::string goodbye() = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};  // extra ones, e.g. Retry-After
  std::shared_ptr<BodySource> stream{};    // if set, `body` is ignored; shared with its producer
  std::shared_ptr<DuplexSource> duplex{};  // with status 101: takes the connection over
};

/// Called on the connection's worker thread. Must call `respond` exactly once, from any thread.
using Respond = std::move_only_function<void(Response)>;
using Handler = std::function<void(Request, Respond)>;

}  // namespace catbird::http
