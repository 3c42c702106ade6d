// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"
#include "http/wire/websocket_frames.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace catbird::http {

/// How the server ends a WebSocket.
struct CloseReason {
  std::uint16_t code = close_normal;
  std::string text{};
};

/// The response that turns a request's connection into a WebSocket (RFC 6455 §4.2.2). `frames`
/// gives whole frames as chunks (binary_frame(), ping_frame()); at its end `reason` is asked why.
/// Pings of the client are answered, its close too; its messages are dropped. `key` is
/// Request::websocket_key.
Response websocket_response(std::string_view key, std::shared_ptr<BodySource> frames,
                            std::function<CloseReason()> reason);

/// What stands between the connection and the frames: see websocket_response().
class WebSocketSource final : public DuplexSource,
                              public std::enable_shared_from_this<WebSocketSource> {
 public:
  WebSocketSource(std::shared_ptr<BodySource> frames, std::function<CloseReason()> reason);

  void next(std::move_only_function<void(Chunk)> answer) override;
  void cancel() override;
  void received(std::string_view bytes) override;
  std::string goodbye() override;

 private:
  using Answer = std::move_only_function<void(Chunk)>;

  void arrived(Chunk chunk);
  void give();

  const std::shared_ptr<BodySource> frames_;
  const std::function<CloseReason()> reason_;
  std::mutex mutex_;
  ClientFrames client_;
  Answer waiting_;
  bool asked_ = false;               // frames_ owes a chunk
  std::optional<std::string> held_;  // one that came while nobody waited
  std::optional<std::string> pong_;
  std::optional<std::string> close_;  // the last frame; after it comes the end
  bool closing_ = false;              // close_ was given
};

}  // namespace catbird::http
