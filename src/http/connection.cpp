// SPDX-License-Identifier: MIT
#include "http/connection.hpp"

#include "obs/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace catbird::http {
namespace {

using boost::system::error_code;

/// A pipelining client gets this many answers before the others of its worker have their turn.
constexpr unsigned requests_per_turn_max = 16;
/// What a client still sending or receiving gets once the server drains; the process has ten
/// seconds in all to leave.
constexpr std::chrono::milliseconds drain_deadline{4'000};
constexpr std::size_t linger_bytes_max = std::size_t{1024} * 1024;
constexpr std::string_view continue_line = "HTTP/1.1 100 Continue\r\n\r\n";

/// Nothing is wrong with the request: the same one may succeed a little later.
Response unavailable(std::string_view error, std::string_view message) {
  auto response = transport_error(503, error, message);
  response.headers.emplace_back("retry-after", "1");
  return response;
}

/// What a handler is given as `respond`: answers once, and answers 500 if it is dropped, so that
/// a lost callback cannot hold a connection for ever.
class Responder {
 public:
  explicit Responder(std::weak_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) = delete;
  ~Responder() {
    if (connection_.expired()) return;
    (*this)(transport_error(500, "InternalServerError", "internal error"));
  }
  void operator()(Response response) {
    auto self = std::exchange(connection_, {}).lock();
    if (self) Connection::post_answer(std::move(self), std::move(response));
  }

 private:
  // Weak: a handler that never answers must not outlive the server with a socket in its hands.
  std::weak_ptr<Connection> connection_;
};

}  // namespace

Connection::Connection(Worker& worker, const Accepted& accepted)
    : worker_(worker),
      socket_(worker.io()),
      peer_(accepted.peer),
      peer_text_(accepted.peer.text()),
      over_cap_(accepted.over_cap) {
  error_code error;
  socket_.assign(boost::asio::ip::tcp::v4(), accepted.descriptor, error);
  if (error) {
    ::close(accepted.descriptor);
    return;
  }
  socket_.non_blocking(true, error);
}

void Connection::start() {
  if (!socket_.is_open()) return close();
  if (over_cap_) {
    return refuse(unavailable("ServiceUnavailable", "too many connections"));
  }
  if (worker_.draining()) return close();
  set_deadline(worker_.state().limits.idle_deadline);
  wait_readable();
}

/// Nothing may escape into io_context::run: what is left to throw is exhausted memory, and then
/// this one connection ends.
void Connection::guarded(void (Connection::*step)()) {
  try {
    (this->*step)();
  } catch (...) {
    calling_ = false;
    obs::log(obs::Level::error, "catbird_server::http", "connection failed");
    close();
  }
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  deadline_ = Worker::Clock::time_point::max();
  release_body();
  charge_unsent(0);
  duplex_.reset();
  if (auto stream = std::exchange(stream_, nullptr)) stream->cancel();
  error_code ignored;
  socket_.close(ignored);
  auto keep_me = shared_from_this();
  worker_.forget(*this);
  auto& state = worker_.state();
  --(over_cap_ ? state.refused : state.open);
  if (state.on_gone) state.on_gone(peer_, !over_cap_);
}

void Connection::drain() {
  if (state_ == State::idle) return close();
  if (state_ == State::waiting) return end_stream();
  // A client that trickles a body or an answer must not hold up the end.
  if (state_ == State::reading || state_ == State::writing) {
    deadline_ = std::min(deadline_, Worker::Clock::now() + drain_deadline);
  }
}

void Connection::on_deadline() {
  if (state_ == State::handling) {
    // The connection ends with this answer, so that one which still comes is taken for no other's.
    return refuse(
        unavailable("TemporarilyUnavailable", "no answer in time, send the same request again"));
  }
  if (state_ != State::reading) return close();
  refuse(transport_error(408, "RequestTimeout", "request took too long to arrive"));
}

void Connection::set_deadline(std::chrono::milliseconds after) {
  if (worker_.draining()) after = std::min(after, drain_deadline);
  deadline_ = Worker::Clock::now() + after;
}

void Connection::wait_readable() {
  if (read_pending_ || state_ == State::closed) return;
  read_pending_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
    self->read_pending_ = false;
    if (self->state_ == State::closed) return;
    if (error) return self->close();
    self->guarded(&Connection::on_readable);
  });
}

void Connection::on_readable() {
  // A stream that has just been blocked or answered reads on; so does every state but these.
  if (state_ == State::handling) return;
  auto& buffer = worker_.read_buffer();
  error_code error;
  std::size_t const count = socket_.read_some(boost::asio::buffer(buffer), error);
  if (error == boost::asio::error::would_block) return wait_readable();
  if (error)
    return close();  // End of file too: no request follows, and a stream has lost its reader.

  std::string_view const bytes(buffer.data(), count);
  if (state_ == State::idle || state_ == State::reading) {
    if (pending_.empty()) return turn(bytes);
    std::string held = std::exchange(pending_, {});
    held += bytes;
    return turn(held);
  }
  if (duplex_) {
    // Bytes that came right behind the handshake were kept for now.
    const auto held = std::exchange(pending_, {});
    if (!held.empty()) duplex_->received(held);
    duplex_->received(bytes);
    if (state_ != State::closed) wait_readable();
    return;
  }
  // Nothing more is wanted from this client: bounded, so that it cannot keep us reading.
  lingered_bytes_ += count;
  if (lingered_bytes_ > linger_bytes_max) return close();
  wait_readable();
}

void Connection::resume() {
  std::string held = std::exchange(pending_, {});
  turn(held);
}

void Connection::keep(std::string_view rest) { pending_.assign(rest); }

void Connection::turn(std::string_view bytes) {
  for (unsigned served = 0; served < requests_per_turn_max; ++served) {
    auto const read = read_request(bytes);
    if (read == Read::refused) return;
    if (read == Read::more) {
      keep(bytes);
      return wait_readable();
    }
    call_handler();
    if (!answer_) return keep(bytes);  // post_answer goes on.
    auto response = *std::exchange(answer_, std::nullopt);
    if (!write_answer(std::move(response))) return keep(bytes);  // on_written goes on.
  }
  keep(bytes);
  boost::asio::post(worker_.io(), [self = shared_from_this()] {
    if (self->state_ == State::idle) self->guarded(&Connection::resume);
  });
}

Connection::Read Connection::read_request(std::string_view& bytes) {
  const ServerLimits& limits = worker_.state().limits;
  if (!parser_) {
    // RFC 9112 §2.2: an empty line before a request is to be ignored.
    while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
    if (bytes.empty()) return Read::more;
    parser_ = std::make_unique<RequestParser>(
        RequestParser::Limits{limits.header_bytes_max, limits.body_bytes_max});
    state_ = State::reading;
    continued_ = false;
    set_deadline(limits.header_deadline);
  }
  bool const had_header = parser_->header_complete();
  auto const outcome = parser_->feed(bytes);
  if (outcome == RequestParser::State::failed) {
    auto const failure = parser_->failure();
    refuse(transport_error(failure.status, failure.error, failure.message));
    return Read::refused;
  }
  if (outcome == RequestParser::State::complete) return Read::request;
  if (!admit_body()) return Read::refused;

  if (parser_->header_complete() && !had_header) {
    set_deadline(limits.body_deadline);
    send_continue();
  }
  return state_ == State::closed ? Read::refused : Read::more;
}

/// All bodies being read share one budget, or 10,000 slow uploads would be 160 GB.
bool Connection::admit_body() {
  std::size_t const arrived = parser_->body_bytes();
  auto& total = worker_.state().body_bytes;
  total += arrived - body_charged_;
  body_charged_ = arrived;
  if (total.load() <= worker_.state().limits.body_bytes_total_max) return true;
  refuse(unavailable("ServiceUnavailable", "too many uploads at once"));
  return false;
}

void Connection::release_body() { worker_.state().body_bytes -= std::exchange(body_charged_, 0); }

void Connection::send_continue() {
  if (!parser_->wants_continue() || continued_ || parser_->body_bytes() > 0) return;
  continued_ = true;
  error_code error;
  // The socket's buffer is empty here (all answers are out), so 25 bytes always fit.
  auto const sent = socket_.write_some(boost::asio::buffer(continue_line), error);
  if (error || sent != continue_line.size()) close();
}

void Connection::call_handler() {
  Request request = parser_->take();
  auto& state = worker_.state();
  auto const& trusted = state.trusted_proxies;
  auto const forwarded_for = parser_->forwarded_for();
  request.peer =
      forwarded_for.empty() ? peer_text_ : client_address(trusted, peer_, forwarded_for).text();
  head_only_ = parser_->is_head();
  chunked_ = parser_->knows_chunks();
  keep_alive_ = chunked_ && parser_->keep_alive();
  release_body();
  parser_.reset();
  state_ = State::handling;
  deadline_ = Worker::Clock::now() + worker_.state().limits.answer_deadline;
  calling_ = true;
  try {
    state.handler(std::move(request), Responder(weak_from_this()));
  } catch (...) {
    // The Responder's destructor has answered 500, unless the answer came before the bug. The
    // text of the exception is not logged: it may quote the request.
    obs::log(obs::Level::error, "catbird_server::http", "handler threw");
  }
  calling_ = false;
}

}  // namespace catbird::http
