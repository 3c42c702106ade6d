// SPDX-License-Identifier: MIT
#include "bench/http_load.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <memory>
#include <stdexcept>

namespace catbird::bench {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

struct Shared {
  const LoadPlan& plan;
  const std::function<void(std::string_view)>& on_body;
  LoadResult& result;
  std::size_t next = 0;
};

class Connection {
 public:
  Connection(asio::io_context& io, Shared& shared) : socket_(io), shared_(shared) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), shared.plan.port});
    socket_.set_option(tcp::no_delay(true));
  }

  void send_next() {
    if (shared_.next == shared_.plan.requests.size()) return;
    const auto& request = shared_.plan.requests[shared_.next++];
    began_ = Clock::now();
    asio::async_write(socket_, asio::buffer(request), [this](auto error, std::size_t) {
      if (error) throw std::runtime_error("write: " + error.message());
      receive();
    });
  }

 private:
  void receive() {
    socket_.async_read_some(asio::buffer(chunk_), [this](auto error, std::size_t size) {
      if (error) throw std::runtime_error("the server closed a connection");
      answer_.append(chunk_.data(), size);
      if (complete()) {
        account();
        answer_.clear();
        send_next();
      } else {
        receive();
      }
    });
  }

  bool complete() {
    const auto end = answer_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    constexpr std::string_view name = "\r\ncontent-length: ";
    auto head = answer_.substr(0, end);
    std::ranges::transform(head, head.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const auto at = head.find(name);
    if (at == std::string::npos) throw std::runtime_error("an answer without Content-Length");
    std::size_t length = 0;
    std::from_chars(head.data() + at + name.size(), head.data() + head.size(), length);
    body_ = end + 4;
    return answer_.size() >= body_ + length;
  }

  void account() {
    const std::chrono::duration<double, std::micro> took = Clock::now() - began_;
    if (answer_.starts_with("HTTP/1.1 200")) {
      shared_.result.latencies_us.push_back(took.count());
      if (shared_.on_body) shared_.on_body(std::string_view(answer_).substr(body_));
    } else {
      if (shared_.result.failed++ == 0) shared_.result.first_failure = answer_;
    }
  }

  tcp::socket socket_;
  Shared& shared_;
  std::array<char, 16 * 1024> chunk_{};
  std::string answer_;
  std::size_t body_ = 0;
  Clock::time_point began_;
};

}  // namespace

double LoadResult::percentile_us(double p) const {
  if (latencies_us.empty()) return 0;
  const auto at = static_cast<std::size_t>(p / 100 * static_cast<double>(latencies_us.size() - 1));
  return latencies_us[at];
}

LoadResult run_load(const LoadPlan& plan, const std::function<void(std::string_view)>& on_body) {
  LoadResult result;
  result.latencies_us.reserve(plan.requests.size());
  asio::io_context io{1};
  Shared shared{plan, on_body, result, 0};
  std::vector<std::unique_ptr<Connection>> connections;
  for (std::size_t i = 0; i < plan.clients; ++i) {
    connections.push_back(std::make_unique<Connection>(io, shared));
  }
  const auto began = Clock::now();
  for (auto& connection : connections) connection->send_next();
  io.run();
  result.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  std::ranges::sort(result.latencies_us);
  return result;
}

}  // namespace catbird::bench
