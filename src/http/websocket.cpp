// SPDX-License-Identifier: MIT
#include "http/websocket.hpp"

#include <utility>

namespace catbird::http {

namespace {

/// Nothing a client sends is read; so much of it is no accident any more.
constexpr std::size_t client_message_bytes_max = std::size_t{64} * 1024;

}  // namespace

Response websocket_response(std::string_view key, std::shared_ptr<BodySource> frames,
                            std::function<CloseReason()> reason) {
  Response response;
  response.status = 101;
  response.headers.emplace_back("Upgrade", "websocket");
  response.headers.emplace_back("Connection", "Upgrade");
  response.headers.emplace_back("Sec-WebSocket-Accept", websocket_accept(key));
  response.duplex = std::make_shared<WebSocketSource>(std::move(frames), std::move(reason));
  return response;
}

WebSocketSource::WebSocketSource(std::shared_ptr<BodySource> frames,
                                 std::function<CloseReason()> reason)
    : frames_(std::move(frames)), reason_(std::move(reason)), client_(client_message_bytes_max) {}

void WebSocketSource::next(std::move_only_function<void(Chunk)> answer) {
  bool ask = false;
  {
    const std::lock_guard lock(mutex_);
    waiting_ = std::move(answer);
    const bool something = pong_ || held_ || close_ || closing_;
    ask = !something && !asked_;
    asked_ = asked_ || ask;
  }
  if (ask) {
    frames_->next([weak = weak_from_this()](Chunk chunk) {
      if (auto self = weak.lock()) self->arrived(std::move(chunk));
    });
  } else {
    give();
  }
}

void WebSocketSource::arrived(Chunk chunk) {
  {
    const std::lock_guard lock(mutex_);
    asked_ = false;
    if (chunk) {
      held_ = std::move(chunk);
    } else if (!close_ && !closing_) {
      const auto reason = reason_();
      close_ = close_frame(reason.code, reason.text);
    }
  }
  give();
}

/// Gives what comes next to whoever waits: first what is held (frames are whole), then a pong, then
/// the close, then the end.
void WebSocketSource::give() {
  Answer answer;
  Chunk chunk;
  {
    const std::lock_guard lock(mutex_);
    if (!waiting_) return;
    if (closing_) {
      chunk = std::nullopt;
    } else if (held_) {
      chunk = std::exchange(held_, std::nullopt);
    } else if (pong_) {
      chunk = std::exchange(pong_, std::nullopt);
    } else if (close_) {
      chunk = std::exchange(close_, std::nullopt);
      closing_ = true;
    } else {
      return;
    }
    answer = std::exchange(waiting_, nullptr);
  }
  answer(std::move(chunk));
}

void WebSocketSource::received(std::string_view bytes) {
  {
    const std::lock_guard lock(mutex_);
    if (close_ || closing_) return;
    auto heard = client_.feed(bytes);
    if (heard.ping) pong_ = pong_frame(*heard.ping);
    if (heard.violation) close_ = close_frame(*heard.violation, "");
    if (heard.close) close_ = close_frame(*heard.close, "");
  }
  give();
}

void WebSocketSource::cancel() {
  {
    const std::lock_guard lock(mutex_);
    waiting_ = nullptr;
  }
  frames_->cancel();
}

std::string WebSocketSource::goodbye() {
  const std::lock_guard lock(mutex_);
  return closing_ ? std::string() : close_frame(close_going_away, "the server stops");
}

}  // namespace catbird::http
