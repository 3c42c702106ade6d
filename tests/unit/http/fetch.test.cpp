// SPDX-License-Identifier: MIT
#include "http/fetch.hpp"

#include "http/fetch_seams.hpp"
#include "http/server.hpp"
#include "support/http_peer.hpp"
#include "support/tls_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <vector>

namespace catbird::http {
namespace {

using namespace std::chrono_literals;
using test::IoThreads;
using test::TestServer;
using test::TlsPeer;

constexpr auto ceiling = 20s;

/// A fetcher whose names resolve to what the test says.
class FetchTest : public testing::Test {
 protected:
  Result<FetchReply> fetch(FetchRequest request) {
    std::promise<Result<FetchReply>> promise;
    auto future = promise.get_future();
    fetcher().get(std::move(request), [promise = std::move(promise)](auto result) mutable {
      promise.set_value(std::move(result));
    });
    if (future.wait_for(ceiling) != std::future_status::ready) return fail(Errc::internal, "hangs");
    return future.get();
  }
  Result<FetchReply> fetch(std::string url, Reach reach) {
    FetchRequest request;
    request.url = std::move(url);
    request.reach = reach;
    request.deadline = 15s;
    return fetch(std::move(request));
  }
  Errc error(std::string url, Reach reach) {
    auto reply = fetch(std::move(url), reach);
    return reply ? Errc::internal : reply.error().code;
  }

  Fetcher& fetcher() {
    if (!fetcher_) {
      FetchSeams seams;
      seams.trusted_pem = trusted_pem_;
      seams.resolve = [this](const std::string& host) {
        ++resolved_;
        return resolve_(host);
      };
      fetcher_ = make_fetcher(threads_.first(), std::move(seams));
    }
    return *fetcher_;
  }
  void TearDown() override {
    threads_.stop();
    fetcher_.reset();
  }

  std::string trusted_pem_;
  std::function<std::vector<IpAddress>(const std::string&)> resolve_ = [](const std::string&) {
    return std::vector<IpAddress>{*parse_ip("127.0.0.1")};
  };
  std::atomic<int> resolved_{0};

 private:
  IoThreads threads_;
  std::unique_ptr<Fetcher> fetcher_;
};

/// Counts what reaches it and answers by path.
class Origin {
 public:
  std::string url(std::string_view path, std::string_view host = "127.0.0.1") const {
    return "http://" + std::string(host) + ":" + std::to_string(server_.port()) + std::string(path);
  }
  std::string port() const { return std::to_string(server_.port()); }
  std::atomic<int> calls{0};

 private:
  void answer(const Request& request, Respond respond) {
    ++calls;
    Response response;
    if (request.path == "/redirect") {
      response.status = 302;
      response.headers = {{"location", "/elsewhere"}};
    } else if (request.path == "/missing") {
      response.status = 404;
    } else if (request.path == "/large") {
      response.body.assign(70'000, 'x');
    } else if (request.path == "/never") {
      held_.push_back(std::move(respond));
      return;
    }
    if (response.body.empty()) response.body = request.path + "?" + request.query;
    respond(std::move(response));
  }

  std::vector<Respond> held_;
  TestServer server_{
      [this](Request request, Respond respond) { answer(request, std::move(respond)); }};
};

TEST_F(FetchTest, gets_a_document_from_loopback_in_development_and_from_the_operators_url) {
  Origin origin;

  for (Reach reach : {Reach::development, Reach::operator_url}) {
    auto reply = fetch(origin.url("/did.json?x=1"), reach);

    ASSERT_TRUE(reply.has_value()) << reply.error().detail;
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, "/did.json?x=1");
  }
  EXPECT_EQ(resolved_, 0);
}

TEST_F(FetchTest, sends_nothing_to_loopback_under_public_only) {
  Origin origin;

  EXPECT_EQ(error(origin.url("/"), Reach::public_only), Errc::invalid_request);
  EXPECT_EQ(error("https://127.0.0.1:" + origin.port() + "/", Reach::public_only),
            Errc::invalid_request);
  EXPECT_EQ(error("https://localhost/", Reach::public_only), Errc::invalid_request);
  EXPECT_EQ(origin.calls, 0);
  EXPECT_EQ(resolved_, 0);
}

TEST_F(FetchTest, checks_the_addresses_a_public_name_resolves_to) {
  for (const char* inner : {"127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1",
                            "::ffff:127.0.0.1", "64:ff9b::7f00:1", "0.0.0.0"}) {
    resolve_ = [&](const std::string&) { return std::vector<IpAddress>{*parse_ip(inner)}; };

    EXPECT_EQ(error("https://rebound.example/", Reach::public_only), Errc::invalid_request)
        << inner;
  }
}

TEST_F(FetchTest, checks_every_address_and_uses_only_the_allowed_ones) {
  Origin origin;
  resolve_ = [](const std::string&) {
    return std::vector<IpAddress>{*parse_ip("10.0.0.1"), *parse_ip("127.0.0.1")};
  };

  auto reply = fetch(origin.url("/x", "pds.test"), Reach::development);

  ASSERT_TRUE(reply.has_value()) << reply.error().detail;
  EXPECT_EQ(reply->body, "/x?");
}

TEST_F(FetchTest, tries_the_next_address_when_one_refuses) {
  Origin origin;
  resolve_ = [](const std::string&) {
    return std::vector<IpAddress>{*parse_ip("::1"), *parse_ip("127.0.0.1")};
  };

  EXPECT_TRUE(fetch(origin.url("/x", "pds.test"), Reach::development).has_value());
}

TEST_F(FetchTest, follows_no_redirect) {
  Origin origin;

  auto reply = fetch(origin.url("/redirect"), Reach::development);

  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->status, 302);
  EXPECT_EQ(origin.calls, 1);
}

TEST_F(FetchTest, reports_other_statuses_as_they_are) {
  Origin origin;

  EXPECT_EQ(fetch(origin.url("/missing"), Reach::development)->status, 404);
}

TEST_F(FetchTest, refuses_a_reply_above_its_bound) {
  Origin origin;
  FetchRequest request;
  request.url = origin.url("/large");
  request.reach = Reach::development;
  request.deadline = 15s;

  auto small = fetch(request);
  request.body_bytes_max = 70'000;
  auto large = fetch(request);

  ASSERT_FALSE(small.has_value());
  EXPECT_EQ(small.error().code, Errc::message_too_large);
  EXPECT_TRUE(large.has_value());
}

TEST_F(FetchTest, gives_up_at_its_deadline) {
  Origin origin;
  FetchRequest request;
  request.url = origin.url("/never");
  request.reach = Reach::development;
  request.deadline = 20ms;

  auto reply = fetch(request);

  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, Errc::deadline);
}

TEST_F(FetchTest, counts_a_slow_name_look_up_into_the_deadline) {
  std::promise<void> release;
  auto released = release.get_future().share();
  resolve_ = [released](const std::string&) {
    released.wait();
    return std::vector<IpAddress>{};
  };
  FetchRequest request;
  request.url = "https://slow.example/";
  request.deadline = 20ms;

  auto reply = fetch(request);
  release.set_value();

  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, Errc::deadline);
}

TEST_F(FetchTest, reports_a_name_or_port_nobody_answers_to) {
  std::uint16_t closed_port = 0;
  {
    Origin gone;
    closed_port = static_cast<std::uint16_t>(std::stoi(gone.port()));
  }
  EXPECT_EQ(error("http://127.0.0.1:" + std::to_string(closed_port) + "/", Reach::development),
            Errc::storage_unavailable);
  resolve_ = [](const std::string&) { return std::vector<IpAddress>{}; };
  EXPECT_EQ(error("https://nobody.example/", Reach::public_only), Errc::storage_unavailable);
}

TEST_F(FetchTest, carries_32_exchanges_at_once_and_refuses_more) {
  Origin origin;
  FetchRequest request;
  request.url = origin.url("/never");
  request.reach = Reach::development;
  request.deadline = 1s;
  std::atomic<int> overloaded{0};
  std::atomic<int> late{0};
  std::promise<void> all;

  for (int i = 0; i < 40; ++i) {
    fetcher().get(request, [&](Result<FetchReply> reply) {
      if (reply) return;
      if (reply.error().code == Errc::overloaded) ++overloaded;
      if (reply.error().code == Errc::deadline) ++late;
      if (overloaded + late == 40) all.set_value();
    });
  }

  ASSERT_EQ(all.get_future().wait_for(ceiling), std::future_status::ready);
  EXPECT_EQ(overloaded, 8);
  EXPECT_EQ(late, 32);
  EXPECT_TRUE(fetch(origin.url("/again"), Reach::development).has_value());
}

TEST_F(FetchTest, takes_a_certificate_it_trusts_for_the_right_name) {
  TlsPeer peer("pds.test");
  trusted_pem_ = peer.certificate_pem();

  auto reply = fetch("https://pds.test:" + std::to_string(peer.port()) + "/", Reach::development);

  ASSERT_TRUE(reply.has_value()) << reply.error().detail;
  EXPECT_EQ(reply->body, "over tls");
}

TEST_F(FetchTest, refuses_a_certificate_nobody_vouches_for) {
  TlsPeer peer("pds.test");

  auto reply = fetch("https://pds.test:" + std::to_string(peer.port()) + "/", Reach::development);

  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, Errc::storage_unavailable);
  EXPECT_EQ(reply.error().detail, "tls handshake failed");
  EXPECT_EQ(peer.requests(), 0);
}

TEST_F(FetchTest, refuses_a_trusted_certificate_of_another_name) {
  TlsPeer peer("pds.test");
  trusted_pem_ = peer.certificate_pem();

  auto const port = std::to_string(peer.port());
  for (const char* host : {"other.test", "sub.pds.test", "127.0.0.1"}) {
    EXPECT_EQ(error("https://" + std::string(host) + ":" + port + "/", Reach::development),
              Errc::storage_unavailable)
        << host;
  }
  EXPECT_EQ(peer.requests(), 0);
}

}  // namespace
}  // namespace catbird::http
