// SPDX-License-Identifier: MIT
#include "http/connection.hpp"
#include "obs/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace catbird::http {
namespace {

using boost::system::error_code;

/// Bodies up to this size are copied behind the head, larger ones written beside it.
constexpr std::size_t body_inline_bytes_max = 4096;
/// A source that always has more lets the others of its worker go after this many chunks.
constexpr unsigned chunks_per_turn_max = 16;
/// Long enough for the answer to cross the world before the socket is torn down.
constexpr std::chrono::milliseconds linger_deadline{2'000};
/// Buffers that grew beyond this are given back between requests.
constexpr std::size_t out_bytes_kept_max = std::size_t{16} * 1024;

bool never_has_body(int status) { return status == 204 || status == 304; }

/// What a BodySource answers through; dropping it ends the stream.
class ChunkAnswer {
 public:
  explicit ChunkAnswer(std::weak_ptr<Connection> connection) : connection_(std::move(connection)) {}
  ChunkAnswer(ChunkAnswer&&) noexcept = default;
  ChunkAnswer& operator=(ChunkAnswer&&) = delete;
  ~ChunkAnswer() {
    if (!connection_.expired()) (*this)(std::nullopt);
  }
  void operator()(BodySource::Chunk chunk) {
    auto self = std::exchange(connection_, {}).lock();
    if (self) Connection::post_chunk(std::move(self), std::move(chunk));
  }

 private:
  std::weak_ptr<Connection> connection_;
};

}  // namespace

bool Connection::on_own_thread() const {
  return worker_.io().get_executor().running_in_this_thread();
}

void Connection::post_answer(std::shared_ptr<Connection> self, Response response) {
  if (self->on_own_thread() && self->calling_) {
    self->answer_ = std::move(response);
    return;
  }
  auto& io = self->worker_.io();
  boost::asio::post(io, [self = std::move(self), response = std::move(response)]() mutable {
    if (self->state_ != State::handling) return;
    self->answer_ = std::move(response);
    self->guarded(&Connection::on_answer);
  });
}

void Connection::post_chunk(std::shared_ptr<Connection> self, BodySource::Chunk chunk) {
  if (self->on_own_thread() && self->calling_) {
    self->chunk_ = std::move(chunk);
    return;
  }
  auto& io = self->worker_.io();
  boost::asio::post(io, [self = std::move(self), chunk = std::move(chunk)]() mutable {
    if (self->state_ != State::waiting) return;
    self->chunk_ = std::move(chunk);
    self->guarded(&Connection::on_chunk);
  });
}

void Connection::on_answer() {
  auto response = std::exchange(answer_, std::nullopt);
  if (response && write_answer(*std::move(response))) resume();
}

void Connection::on_chunk() {
  auto chunk = std::exchange(chunk_, std::nullopt);
  if (chunk && write_chunk(*std::move(chunk))) pull();
}

void Connection::on_writable() {
  if (!flush()) return;
  on_written();
  if (state_ == State::idle) resume();
}

/// True when the answer is out and the connection is ready for the next request.
bool Connection::write_answer(Response response) {
  if (worker_.draining()) keep_alive_ = false;
  if (never_has_body(response.status)) response.body.clear();
  out_.clear();
  sent_ = 0;
  body_.clear();
  if (response.duplex) {
    chunked_ = false;
    keep_alive_ = false;
    append_head(out_, response, Framing::until_close, true, worker_.date());
    duplex_ = response.duplex;
    stream_ = std::move(response.duplex);
  } else if (response.stream) {
    // The end of a stream closes the connection (message.hpp).
    keep_alive_ = false;
    append_head(out_, response, chunked_ ? Framing::chunked : Framing::until_close, false,
                worker_.date());
    stream_ = std::move(response.stream);
    if (head_only_) std::exchange(stream_, nullptr)->cancel();
  } else {
    append_head(out_, response, Framing::length, keep_alive_, worker_.date());
    if (!head_only_ && response.body.size() <= body_inline_bytes_max) {
      out_ += response.body;
    } else if (!head_only_) {
      body_ = std::move(response.body);
    }
  }
  if (!flush()) return false;
  on_written();
  return state_ == State::idle;
}

/// A last answer from the transport itself: the request's end is unknown, so the connection ends.
void Connection::refuse(const Response& response) {
  if (parser_) head_only_ = parser_->is_head();
  parser_.reset();
  release_body();
  keep_alive_ = false;
  state_ = State::handling;
  write_answer(response);
}

/// Writes what the socket takes. True when all is out; otherwise on_written follows later, unless
/// the connection broke.
bool Connection::flush() {
  while (sent_ < out_.size() + body_.size()) {
    std::array<boost::asio::const_buffer, 2> parts{};
    std::size_t const head_sent = std::min(sent_, out_.size());
    parts[0] = boost::asio::buffer(out_) + head_sent;
    parts[1] = boost::asio::buffer(body_) + (sent_ - head_sent);
    error_code error;
    std::size_t const count = socket_.write_some(parts, error);
    if (error == boost::asio::error::would_block) {
      if (!charge_unsent(out_.size() + body_.size() - sent_)) {
        close();
        return false;
      }
      state_ = State::writing;
      set_deadline(worker_.state().limits.write_deadline);
      wait_writable();
      return false;
    }
    if (error) {
      close();
      return false;
    }
    sent_ += count;
  }
  charge_unsent(0);
  return true;
}

/// Answers that wait for their readers share one budget, or 10,000 pages nobody reads would be
/// 80 GB. False for the one that goes beyond it: that client asks again.
bool Connection::charge_unsent(std::size_t bytes) {
  auto& total = worker_.state().unsent_bytes;
  total += bytes - unsent_charged_;
  unsent_charged_ = bytes;
  return bytes == 0 || total.load() <= worker_.state().limits.unsent_bytes_total_max;
}

void Connection::wait_writable() {
  if (stream_) wait_readable();  // A reader that goes away must free its source at once.
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code error) {
    if (self->state_ == State::closed) return;
    if (error) return self->close();
    self->guarded(&Connection::on_writable);
  });
}

/// All of out_ and body_ is with the kernel: what comes next?
void Connection::on_written() {
  sent_ = 0;
  body_ = {};
  if (out_.capacity() > out_bytes_kept_max) out_ = {};
  out_.clear();
  if (stream_) {
    state_ = State::waiting;
    if (worker_.draining()) return end_stream();
    wait_readable();
    return pull();
  }
  if (!keep_alive_ || worker_.draining()) return linger();
  state_ = State::idle;
  set_deadline(worker_.state().limits.idle_deadline);
}

void Connection::linger() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  state_ = State::lingering;
  set_deadline(linger_deadline);
  wait_readable();
}

void Connection::pull() {
  for (unsigned pulled = 0; pulled < chunks_per_turn_max; ++pulled) {
    state_ = State::waiting;
    deadline_ = Worker::Clock::time_point::max();
    chunk_.reset();
    calling_ = true;
    try {
      stream_->next(ChunkAnswer(weak_from_this()));
    } catch (...) {
      obs::log(obs::Level::error, "catbird_server::http", "body source threw");
      chunk_.emplace(std::nullopt);
    }
    calling_ = false;
    if (!chunk_) return;  // post_chunk goes on.
    if (!write_chunk(*std::exchange(chunk_, std::nullopt))) return;
  }
  boost::asio::post(worker_.io(), [self = shared_from_this()] {
    if (self->state_ == State::waiting && self->stream_) self->guarded(&Connection::pull);
  });
}

/// True when the source may be asked for more.
bool Connection::write_chunk(BodySource::Chunk chunk) {
  if (!chunk) {
    end_stream();
    return false;
  }
  if (chunked_) {
    append_chunk(out_, *chunk);
  } else {
    out_ += *chunk;
  }
  if (!flush()) return false;
  sent_ = 0;
  out_.clear();
  return true;
}

void Connection::end_stream() {
  if (auto duplex = std::exchange(duplex_, nullptr)) out_ += duplex->goodbye();
  if (auto stream = std::exchange(stream_, nullptr)) stream->cancel();
  if (chunked_) out_ += last_chunk;
  if (flush()) on_written();
}

}  // namespace catbird::http
