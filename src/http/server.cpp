// SPDX-License-Identifier: MIT
#include "http/server.hpp"

#include "base/check.hpp"
#include "http/connection.hpp"
#include "http/worker.hpp"
#include "obs/log.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace catbird::http {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr int listen_backlog = 1024;
/// Connections taken in one go before requests have their turn again.
constexpr unsigned accepts_per_turn_max = 64;
/// Pause when the process has no descriptors left; the backlog holds the callers meanwhile.
constexpr std::chrono::milliseconds accept_pause{100};
/// Connections over the cap that are told so at the same time; the rest is closed without a word.
constexpr std::size_t refused_max = 256;

IpAddress address_of(const sockaddr_storage& storage) {
  IpAddress address;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &storage, sizeof in6);
    std::memcpy(address.bytes.data(), &in6.sin6_addr, address.bytes.size());
    return address;
  }
  sockaddr_in in{};
  std::memcpy(&in, &storage, sizeof in);
  std::array<std::uint8_t, 4> octets{};
  std::memcpy(octets.data(), &in.sin_addr, octets.size());
  return IpAddress::v4(octets);
}

Result<boost::asio::ip::address> listen_address(const std::string& host) {
  auto parsed = parse_ip(host == "localhost" ? "127.0.0.1" : host);
  if (!parsed) return fail(Errc::invalid_request, "not an address to listen on: " + host);
  return boost::asio::ip::make_address(parsed->text());
}

class TcpServer final : public Server {
 public:
  TcpServer(std::vector<boost::asio::io_context*> workers, ServerOptions options,
            CidrSet trusted_proxies, Handler handler)
      : io_(*workers.front()), acceptor_(io_), retry_timer_(io_) {
    state_.limits = options.limits;
    state_.trusted_proxies = std::move(trusted_proxies);
    state_.handler = std::move(handler);
    state_.on_gone = [this](const IpAddress& peer, bool admitted) { on_gone(peer, admitted); };
    for (auto* io : workers) workers_.push_back(std::make_unique<Worker>(*io, state_));
  }

  ~TcpServer() override {
    error_code ignored;
    acceptor_.close(ignored);
    retry_timer_.cancel();
    state_.on_gone = nullptr;
  }

  Result<void> listen(const ServerOptions& options) {
    auto address = listen_address(options.host);
    if (!address) return std::unexpected(address.error());
    tcp::endpoint const endpoint(*address, options.port);
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    // Linux hands it on to every accepted socket: one system call for all.
    if (!error) acceptor_.set_option(tcp::no_delay(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(listen_backlog, error);
    if (!error) acceptor_.non_blocking(true, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) {
      return fail(Errc::invalid_request, fmt::format("cannot listen on {}:{}: {}", options.host,
                                                     options.port, error.message()));
    }
    boost::asio::post(io_, [this] { wait_accept(); });
    return {};
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return state_.open.load(); }

  void drain(std::move_only_function<void()> done) override {
    CATBIRD_CHECK(!state_.draining.exchange(true));
    boost::asio::post(io_, [this, done = std::move(done)]() mutable {
      drained_ = std::move(done);
      error_code ignored;
      acceptor_.close(ignored);
      retry_timer_.cancel();
      for (auto& worker : workers_) {
        boost::asio::post(worker->io(), [this, &worker = *worker] {
          worker.drain();
          boost::asio::post(io_, [this] { check_drained(); });
        });
      }
    });
  }

 private:
  void wait_accept() {
    if (!acceptor_.is_open()) return;
    acceptor_.async_wait(tcp::acceptor::wait_read, [this](error_code error) {
      if (error) return;  // Closed: `this` may be gone.
      accept_all();
    });
  }

  void accept_all() {
    for (unsigned i = 0; i < accepts_per_turn_max; ++i) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      int const descriptor =
          ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&storage), &length,
                    SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor >= 0) {
        admit(descriptor, address_of(storage));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return pause_accepting();
      }
      // EAGAIN: none left. Anything else concerns the one connection that just failed.
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    }
    wait_accept();
  }

  void pause_accepting() {
    obs::log(obs::Level::warn, "catbird_server::http", "no descriptors left, accepting later");
    retry_timer_.expires_after(accept_pause);
    retry_timer_.async_wait([this](error_code error) {
      if (error) return;
      wait_accept();
    });
  }

  void admit(int descriptor, const IpAddress& peer) {
    Accepted accepted{descriptor, peer, !count_in(peer)};
    if (accepted.over_cap && ++state_.refused > refused_max) {
      --state_.refused;
      ::close(descriptor);
      return;
    }
    Worker& worker = *workers_[next_worker_++ % workers_.size()];
    boost::asio::post(worker.io(), [&worker, accepted] { worker.adopt(accepted); });
  }

  /// False if a cap is reached. The acceptor's thread alone counts up.
  bool count_in(const IpAddress& peer) {
    const ServerLimits& limits = state_.limits;
    if (state_.open.load() >= limits.connections_max) return false;
    if (limits.connections_per_peer_max > 0) {
      std::lock_guard lock(peers_mutex_);
      auto& count = peers_[peer.text()];
      if (count >= limits.connections_per_peer_max) return false;
      ++count;
    }
    ++state_.open;
    return true;
  }

  void on_gone(const IpAddress& peer, bool admitted) {
    if (admitted && state_.limits.connections_per_peer_max > 0) {
      std::lock_guard lock(peers_mutex_);
      auto at = peers_.find(peer.text());
      if (--at->second == 0) peers_.erase(at);
    }
    // Asked only while draining: a counter at zero is an everyday thing otherwise.
    if (!state_.draining.load() || state_.open.load() + state_.refused.load() > 0) return;
    boost::asio::post(io_, [this] { check_drained(); });
  }

  void check_drained() {
    if (!drained_ || state_.open.load() + state_.refused.load() > 0) return;
    auto done = std::exchange(drained_, nullptr);
    done();
  }

  boost::asio::io_context& io_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer retry_timer_;
  std::uint16_t port_ = 0;
  std::size_t next_worker_ = 0;
  std::move_only_function<void()> drained_;

  std::mutex peers_mutex_;  // guards peers_: counted up by the acceptor, down by every worker
  std::unordered_map<std::string, std::size_t> peers_;

  ServerState state_;
  std::vector<std::unique_ptr<Worker>> workers_;  // before state_ in death: they use it
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(std::vector<boost::asio::io_context*> workers,
                                              ServerOptions options, Handler handler) {
  CATBIRD_CHECK(!workers.empty());
  auto trusted = CidrSet::parse(options.trusted_proxy_cidrs);
  if (!trusted) return std::unexpected(trusted.error());
  auto server = std::make_unique<TcpServer>(std::move(workers), options, *std::move(trusted),
                                            std::move(handler));
  auto listening = server->listen(options);
  if (!listening) return std::unexpected(listening.error());
  return server;
}

}  // namespace catbird::http
