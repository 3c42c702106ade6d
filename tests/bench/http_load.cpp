// SPDX-License-Identifier: MIT
#include "bench/http_load.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>

// Plain epoll and one thread: the generator shares the cores with the server it measures, so every
// system call of its own lowers what it can see.

namespace catbird::bench {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t chunk_bytes = 64UL * 1024;
constexpr std::size_t events_max = 256;
constexpr std::chrono::seconds hang_max{60};

[[noreturn]] void broken(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

double thread_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// One connection with at most one request open.
class Wire {
 public:
  explicit Wire(std::uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (socket_ < 0) broken("socket");
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      broken("connect");
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(socket_, F_SETFL, O_NONBLOCK);
  }
  ~Wire() { ::close(socket_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  int socket() const { return socket_; }

  void send(const std::string& text) {
    text_.clear();
    whole_ = 0;
    for (std::size_t sent = 0; sent < text.size();) {
      const auto some = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (some < 0 && errno != EAGAIN) broken("send");
      if (some > 0) sent += static_cast<std::size_t>(some);
      if (sent == text.size()) return;
      pollfd writable{.fd = socket_, .events = POLLOUT, .revents = 0};
      ::poll(&writable, 1, -1);
    }
  }

  /// Takes what has come. True when the answer is whole.
  bool receive() {
    static thread_local std::array<char, chunk_bytes> chunk;
    const auto some = ::recv(socket_, chunk.data(), chunk.size(), 0);
    if (some == 0) throw std::runtime_error("the server closed a connection: " + text_);
    if (some < 0) {
      if (errno == EAGAIN) return false;
      broken("recv");
    }
    text_.append(chunk.data(), static_cast<std::size_t>(some));
    if (whole_ == 0) read_head();
    return whole_ != 0 && text_.size() >= whole_;
  }

  int status() const {
    constexpr std::size_t status_at = 9;  // "HTTP/1.1 "
    int status = 0;
    std::from_chars(text_.data() + status_at, text_.data() + text_.size(), status);
    return status;
  }
  std::string_view body() const { return std::string_view(text_).substr(body_at_); }
  const std::string& text() const { return text_; }

  std::size_t request = 0;
  Clock::time_point began;

 private:
  void read_head() {
    const auto end = text_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    constexpr const char* name = "\r\ncontent-length: ";
    const char* at = ::strcasestr(text_.c_str(), name);
    if (at == nullptr) throw std::runtime_error("an answer without Content-Length");
    std::size_t length = 0;
    std::from_chars(at + std::strlen(name), text_.data() + end, length);
    body_at_ = end + 4;
    whole_ = body_at_ + length;
  }

  int socket_ = -1;
  std::string text_;
  std::size_t body_at_ = 0;
  std::size_t whole_ = 0;  // 0: the head is not there yet
};

class Run {
 public:
  Run(const LoadPlan& plan, const std::function<void(const Answer&)>& on_answer)
      : plan_(plan), on_answer_(on_answer), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) broken("epoll_create1");
    for (std::size_t i = 0; i < std::min(plan.clients, plan.requests.size()); ++i) {
      wires_.push_back(std::make_unique<Wire>(plan.port));
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wires_.back()->socket(), &event);
      idle_.push_back(i);
    }
    result_.latencies_us.reserve(plan.requests.size());
  }
  ~Run() { ::close(epoll_); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  LoadResult run() {
    const auto cpu = thread_cpu_seconds();
    start_ = Clock::now();
    last_answer_ = start_;
    if (plan_.per_second == 0) {
      idle_.clear();
      for (std::size_t i = 0; i < wires_.size(); ++i) send(i, next_++, Clock::now());
    }
    while (answered_ < plan_.requests.size()) step();
    result_.seconds = std::chrono::duration<double>(last_answer_ - start_).count();
    result_.generator_cpu_seconds = thread_cpu_seconds() - cpu;
    std::ranges::sort(result_.latencies_us);
    return std::move(result_);
  }

 private:
  bool open_loop() const { return plan_.per_second != 0; }
  Clock::time_point intended(std::size_t request) const {
    return start_ + std::chrono::nanoseconds(static_cast<std::int64_t>(
                        static_cast<double>(request) * 1e9 / plan_.per_second));
  }

  void send(std::size_t wire, std::size_t request, Clock::time_point began) {
    wires_[wire]->request = request;
    wires_[wire]->began = began;
    wires_[wire]->send(plan_.requests[request]);
  }

  /// Open loop: everything due goes out, as far as there are connections.
  void send_due() {
    const auto now = Clock::now();
    while (next_ < plan_.requests.size() && !idle_.empty() && intended(next_) <= now) {
      const auto wire = idle_.back();  // the one used last
      idle_.pop_back();
      send(wire, next_, intended(next_));
      ++next_;
    }
  }

  void step() {
    if (open_loop()) send_due();
    timespec wait{.tv_sec = hang_max.count(), .tv_nsec = 0};
    const bool timer = open_loop() && next_ < plan_.requests.size() && !idle_.empty();
    if (timer) {
      const auto left = std::max(std::chrono::nanoseconds(0),
                                 std::chrono::nanoseconds(intended(next_) - Clock::now()));
      wait = {.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
    }
    std::array<epoll_event, events_max> events;
    const int count = ::epoll_pwait2(epoll_, events.data(), events_max, &wait, nullptr);
    if (count < 0 && errno != EINTR) broken("epoll_pwait2");
    if (count == 0 && !timer) throw std::runtime_error("no answer for a minute");
    for (int i = 0; i < count; ++i) {
      const auto wire = static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.u64);
      if (wires_[wire]->receive()) account(wire);
    }
  }

  void account(std::size_t at) {
    const auto now = Clock::now();
    auto& wire = *wires_[at];
    last_answer_ = now;
    ++answered_;
    const auto status = wire.status();
    if (status == 200) {
      result_.latencies_us.push_back(
          std::chrono::duration<double, std::micro>(now - wire.began).count());
      const auto slot = static_cast<std::size_t>(
          std::chrono::duration_cast<std::chrono::milliseconds>(now - start_).count() /
          static_cast<std::int64_t>(LoadResult::slot_ms));
      if (result_.per_slot.size() <= slot) result_.per_slot.resize(slot + 1);
      ++result_.per_slot[slot];
    } else if (result_.statuses[status]++ == 0 && result_.first_failure.empty()) {
      result_.first_failure = wire.text();
    }
    if (on_answer_) on_answer_({.request = wire.request, .status = status, .body = wire.body()});
    go_on(at);
  }

  void go_on(std::size_t at) {
    if (open_loop()) {
      idle_.push_back(at);
    } else if (plan_.pinned) {
      const auto following = wires_[at]->request + plan_.clients;
      if (following < plan_.requests.size()) send(at, following, Clock::now());
    } else if (next_ < plan_.requests.size()) {
      send(at, next_++, Clock::now());
    }
  }

  const LoadPlan& plan_;
  const std::function<void(const Answer&)>& on_answer_;
  int epoll_;
  LoadResult result_;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::size_t> idle_;
  std::size_t next_ = 0;
  std::size_t answered_ = 0;
  Clock::time_point start_, last_answer_;
};

}  // namespace

std::size_t LoadResult::failed() const {
  std::size_t sum = 0;
  for (const auto& [status, count] : statuses) sum += count;
  return sum;
}

double LoadResult::percentile_us(double p) const {
  if (latencies_us.empty()) return 0;
  const auto at = static_cast<std::size_t>(p / 100 * static_cast<double>(latencies_us.size() - 1));
  return latencies_us[at];
}

LoadResult run_load(const LoadPlan& plan, const std::function<void(const Answer&)>& on_answer) {
  return Run(plan, on_answer).run();
}

}  // namespace catbird::bench
