// SPDX-License-Identifier: MIT
#include "http/fetch.hpp"

#include "http/fetch_seams.hpp"
#include "http/url.hpp"
#include "obs/log.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <utility>

namespace catbird::http {
namespace {

namespace asio = boost::asio;
namespace beast_http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t exchanges_max = 32;
/// getaddrinfo cannot be interrupted: this many names can be slow before others wait.
constexpr std::size_t resolver_threads = 8;
constexpr std::uint32_t header_bytes_max = 16 * 1024;
constexpr std::size_t candidates_max = 8;

/// What exchanges share with their Fetcher, and may outlive it with.
struct Shared {
  explicit Shared(FetchSeams given) : seams(std::move(given)), tls(asio::ssl::context::tls_client) {
    ::SSL_CTX_set_min_proto_version(tls.native_handle(), TLS1_2_VERSION);
    tls.set_verify_mode(asio::ssl::verify_peer);
    if (seams.trusted_pem.empty()) {
      tls.set_default_verify_paths();
    } else {
      tls.add_certificate_authority(asio::buffer(seams.trusted_pem));
    }
  }

  FetchSeams seams;
  asio::ssl::context tls;
  std::atomic<std::size_t> in_flight{0};
};

/// One GET, from name to reply. Lives on the io_context's thread, but for the name look-up.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, std::shared_ptr<Shared> shared, FetchRequest request,
           FetchDone done)
      : io_(io),
        timer_(io),
        shared_(std::move(shared)),
        request_(std::move(request)),
        done_(std::move(done)) {}

  void start(asio::thread_pool& resolvers) {
    timer_.expires_after(request_.deadline);
    timer_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->finish(fail(Errc::deadline, "the other side took too long"));
    });
    auto url = parse_url(request_.url, request_.reach);
    if (!url) return finish(std::unexpected(url.error()));
    url_ = *std::move(url);
    if (url_.literal) return connect({*url_.literal});
    asio::post(resolvers, [self = shared_from_this()] {
      if (self->finished_.load()) return;  // Waited past its deadline for a resolver thread.
      auto found = self->shared_->seams.resolve(self->url_.host);
      auto& io = self->io_;
      asio::post(io,
                 [self, found = std::move(found)]() mutable { self->connect(std::move(found)); });
    });
  }

  void finish(Result<FetchReply> result) {
    if (finished_.exchange(true)) return;
    timer_.cancel();
    close();
    --shared_->in_flight;
    auto done = std::exchange(done_, nullptr);
    done(std::move(result));
  }

 private:
  using Tls = asio::ssl::stream<tcp::socket>;

  /// The check of S7: on the addresses themselves, after DNS. The socket connects to exactly the
  /// address checked; the name is never looked up again.
  void connect(std::vector<IpAddress> found) {
    if (finished_.load()) return;
    if (found.empty()) return finish(fail(Errc::storage_unavailable, "host name does not resolve"));
    std::erase_if(found, [&](const IpAddress& address) {
      return !may_connect(url_, address, request_.reach);
    });
    if (found.empty()) return finish(fail(Errc::invalid_request, "host has no allowed address"));
    if (found.size() > candidates_max) found.resize(candidates_max);
    candidates_ = std::move(found);
    connect_next();
  }

  void connect_next() {
    if (finished_.load()) return;
    if (next_candidate_ == candidates_.size()) {
      return finish(fail(Errc::storage_unavailable, "no connection"));
    }
    const IpAddress& candidate = candidates_[next_candidate_++];
    if (shared_->seams.connecting) shared_->seams.connecting(candidate, url_.port);
    auto const address = asio::ip::make_address(candidate.text());
    stream_.emplace(io_, shared_->tls);
    stream_->next_layer().async_connect(tcp::endpoint(address, url_.port),
                                        [self = shared_from_this()](error_code error) {
                                          if (self->finished_.load()) return;
                                          if (error) return self->connect_next();
                                          self->on_connected();
                                        });
  }

  void on_connected() {
    error_code ignored;
    stream_->next_layer().set_option(tcp::no_delay(true), ignored);
    if (!url_.tls) return send(stream_->next_layer());
    if (!demand_name()) return finish(fail(Errc::internal, "tls cannot be set up"));
    stream_->async_handshake(Tls::client, [self = shared_from_this()](error_code error) {
      if (self->finished_.load()) return;
      if (error) return self->finish(fail(Errc::storage_unavailable, "tls handshake failed"));
      self->send(*self->stream_);
    });
  }

  /// The certificate must be for this host (RFC 9525), and its wildcards whole labels.
  bool demand_name() {
    SSL* const ssl = stream_->native_handle();
    if (url_.literal) {
      return ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), url_.host.c_str()) == 1;
    }
    ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return ::SSL_set1_host(ssl, url_.host.c_str()) == 1 &&
           ::SSL_set_tlsext_host_name(ssl, url_.host.c_str()) == 1;
  }

  template <class Stream>
  void send(Stream& stream) {
    head_ = "GET " + url_.target + " HTTP/1.1\r\nHost: " + url_.authority() +
            "\r\nUser-Agent: catbird-mls-server\r\nAccept: " + request_.accept +
            "\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n";
    asio::async_write(stream, asio::buffer(head_),
                      [self = shared_from_this(), &stream](error_code error, std::size_t) {
                        if (self->finished_.load()) return;
                        if (error) {
                          return self->finish(fail(Errc::storage_unavailable, "connection broke"));
                        }
                        self->receive(stream);
                      });
  }

  template <class Stream>
  void receive(Stream& stream) {
    parser_.header_limit(header_bytes_max);
    parser_.body_limit(request_.body_bytes_max);
    beast_http::async_read(
        stream, buffer_, parser_,
        [self = shared_from_this()](error_code error, std::size_t) { self->on_reply(error); });
  }

  void on_reply(error_code error) {
    if (error == beast_http::error::body_limit) {
      return finish(fail(Errc::message_too_large, "reply is too large"));
    }
    if (error) return finish(fail(Errc::storage_unavailable, "reply is not http"));
    auto& message = parser_.get();
    finish(FetchReply{static_cast<int>(message.result_int()), std::move(message.body())});
  }

  void close() {
    if (!stream_) return;
    error_code ignored;
    stream_->next_layer().close(ignored);
  }

  asio::io_context& io_;
  asio::steady_timer timer_;
  std::shared_ptr<Shared> shared_;
  FetchRequest request_;
  FetchDone done_;
  Url url_;
  std::atomic<bool> finished_{false};  // read by resolver threads
  std::vector<IpAddress> candidates_;
  std::size_t next_candidate_ = 0;
  std::optional<Tls> stream_;  // over plain http only its socket is used
  std::string head_;
  boost::beast::flat_buffer buffer_;
  beast_http::response_parser<beast_http::string_body> parser_;
};

class BoostFetcher final : public Fetcher {
 public:
  BoostFetcher(asio::io_context& io, FetchSeams seams)
      : io_(io),
        shared_(std::make_shared<Shared>(std::move(seams))),
        resolvers_(resolver_threads) {}
  ~BoostFetcher() override {
    resolvers_.stop();
    resolvers_.join();
  }

  void get(FetchRequest request, FetchDone done) override {
    if (++shared_->in_flight > exchanges_max) {
      --shared_->in_flight;
      asio::post(io_, [done = std::move(done)]() mutable {
        done(fail(Errc::overloaded, "too many look-ups at once"));
      });
      return;
    }
    auto exchange = std::make_shared<Exchange>(io_, shared_, std::move(request), std::move(done));
    asio::post(io_, [this, exchange = std::move(exchange)] { exchange->start(resolvers_); });
  }

 private:
  asio::io_context& io_;
  // Shared with exchanges: the io_context may destroy their handlers after the Fetcher.
  std::shared_ptr<Shared> shared_;
  asio::thread_pool resolvers_;
};

}  // namespace

std::vector<IpAddress> resolve_by_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &list) != 0) return {};
  std::vector<IpAddress> found;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family == AF_INET) {
      std::array<std::uint8_t, 4> octets{};
      sockaddr_in in{};
      std::memcpy(&in, entry->ai_addr, sizeof in);
      std::memcpy(octets.data(), &in.sin_addr, octets.size());
      found.push_back(IpAddress::v4(octets));
    } else if (entry->ai_family == AF_INET6) {
      sockaddr_in6 in6{};
      std::memcpy(&in6, entry->ai_addr, sizeof in6);
      IpAddress address;
      std::memcpy(address.bytes.data(), &in6.sin6_addr, address.bytes.size());
      found.push_back(address);
    }
  }
  ::freeaddrinfo(list);
  return found;
}

std::unique_ptr<Fetcher> make_fetcher(asio::io_context& io, FetchSeams seams) {
  return std::make_unique<BoostFetcher>(io, std::move(seams));
}

std::unique_ptr<Fetcher> Fetcher::create(asio::io_context& io) {
  return make_fetcher(io, FetchSeams{resolve_by_system, {}, {}});
}

}  // namespace catbird::http
