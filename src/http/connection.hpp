// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"
#include "http/wire/request_parser.hpp"
#include "http/worker.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace catbird::http {

/// One client: reads a request, lets the handler answer, writes, and so on in order. Lives on its
/// worker's thread; only post_answer and post_chunk may be called from elsewhere.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Worker& worker, const Accepted& accepted);

  void start();
  void close();
  /// Idle: closes. Streaming: ends the stream. Else finishes what it is at, then closes.
  void drain();
  void on_deadline();
  Worker::Clock::time_point deadline() const { return deadline_; }

  /// Any thread. An answer that finds the connection gone is dropped.
  static void post_answer(std::shared_ptr<Connection> self, Response response);
  static void post_chunk(std::shared_ptr<Connection> self, BodySource::Chunk chunk);

 private:
  using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp,
                                                  boost::asio::io_context::executor_type>;
  enum class State {
    idle,       // between requests
    reading,    // some bytes of a request are here
    handling,   // the handler owes an answer
    writing,    // the socket is full
    waiting,    // the body source owes a chunk
    lingering,  // answered and shut down; reads on so that the answer is not lost to a reset
    closed,
  };
  enum class Read { more, request, refused };

  // connection.cpp: from bytes to requests
  void wait_readable();
  void on_readable();
  void turn(std::string_view bytes);
  void resume();
  Read read_request(std::string_view& bytes);
  bool admit_body();
  void release_body();
  void send_continue();
  void keep(std::string_view rest);
  void call_handler();
  void guarded(void (Connection::*step)());

  // connection_write.cpp: from answers to bytes
  bool write_answer(Response response);
  void refuse(const Response& response);
  bool flush();
  bool charge_unsent(std::size_t bytes);
  void wait_writable();
  void on_answer();
  void on_chunk();
  void on_writable();
  void on_written();
  void linger();
  void pull();
  bool write_chunk(BodySource::Chunk chunk);
  void end_stream();
  void set_deadline(std::chrono::milliseconds after);
  bool on_own_thread() const;

  Worker& worker_;
  Socket socket_;
  IpAddress peer_;
  std::string peer_text_;
  State state_ = State::idle;
  bool over_cap_ = false;
  bool read_pending_ = false;
  bool calling_ = false;  // inside handler or next(): an answer now is kept, not posted
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool chunked_ = false;
  bool continued_ = false;
  Worker::Clock::time_point deadline_ = Worker::Clock::time_point::max();

  std::unique_ptr<RequestParser> parser_;  // only while a request arrives: idle ones are small
  std::size_t body_charged_ = 0;
  std::string pending_;  // read but not yet parsed
  std::size_t lingered_bytes_ = 0;

  std::string out_;   // head, and a small body or chunk
  std::string body_;  // a large body, written without copying it
  std::size_t sent_ = 0;
  std::size_t unsent_charged_ = 0;
  std::optional<Response> answer_;
  std::shared_ptr<BodySource> stream_;
  std::shared_ptr<DuplexSource> duplex_;  // stream_, if it takes what the client sends
  std::optional<BodySource::Chunk> chunk_;
};

}  // namespace catbird::http
