// SPDX-License-Identifier: MIT
#include "http/address.hpp"
#include "http/fetch.hpp"
#include "http/fetch_seams.hpp"
#include "support/http_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <string>
#include <vector>

// Names that resolve to inner addresses, now or later, and hosts that send elsewhere: every address
// the fetcher connects to is noted. From outside: tests/integration/node/hostile/ssrf.test.mjs.

namespace catbird::http {
namespace {

using namespace std::chrono_literals;
using test::IoThreads;
using test::TestServer;

constexpr auto ceiling = 60s;

/// First, last and some inner address of every block that must not be reached.
constexpr std::array inner_v4{
    "0.0.0.0",         "0.0.0.1",         "0.255.255.255",  "10.0.0.0",        "10.0.0.1",
    "10.255.255.255",  "100.64.0.0",      "100.64.0.1",     "100.100.100.200", "100.127.255.255",
    "127.0.0.0",       "127.0.0.1",       "127.0.0.53",     "127.255.255.255", "169.254.0.0",
    "169.254.169.253", "169.254.169.254", "169.254.170.2",  "169.254.255.255", "172.16.0.0",
    "172.17.0.1",      "172.31.255.255",  "192.0.0.0",      "192.0.0.192",     "192.0.2.1",
    "192.88.99.1",     "192.168.0.0",     "192.168.65.2",   "192.168.255.255", "198.18.0.0",
    "198.19.255.255",  "198.51.100.1",    "203.0.113.1",    "224.0.0.1",       "239.255.255.250",
    "240.0.0.1",       "255.255.255.254", "255.255.255.255"};
constexpr std::array inner_v6{"::",           "::1",        "::2",
                              "::127.0.0.1",  "100::",      "100::1",
                              "64:ff9b:1::1", "2001::1",    "2001:2::1",
                              "2001:10::1",   "2001:20::1", "2001:db8::1",
                              "2002::1",      "3fff::1",    "4000::1",
                              "5f00::1",      "fc00::1",    "fd00:ec2::254",
                              "fdff::1",      "fe80::1",    "fe80::a9fe:a9fe",
                              "febf::1",      "fec0::1",    "ff01::1",
                              "ff02::1",      "ff05::2",    "ffff::1"};

/// An IPv4 address and the IPv6 addresses that lead to it: mapped, NAT64, 6to4, Teredo.
std::vector<IpAddress> disguises(const IpAddress& v4) {
  std::vector<IpAddress> all{v4};
  for (const char* prefix : {"::ffff:0:0", "64:ff9b::", "::"}) {
    auto made = *parse_ip(prefix);
    std::copy(v4.bytes.begin() + 12, v4.bytes.end(), made.bytes.begin() + 12);
    all.push_back(made);
  }
  auto six_to_four = *parse_ip("2002::");
  std::copy(v4.bytes.begin() + 12, v4.bytes.end(), six_to_four.bytes.begin() + 2);
  all.push_back(six_to_four);
  auto teredo = *parse_ip("2001::");
  for (std::size_t i = 12; i < 16; ++i) {
    teredo.bytes[i - 8] = v4.bytes[i];
    teredo.bytes[i] = static_cast<std::uint8_t>(~v4.bytes[i]);
  }
  all.push_back(teredo);
  return all;
}

std::vector<IpAddress> inner_addresses() {
  std::vector<IpAddress> all;
  for (const char* text : inner_v4)
    std::ranges::copy(disguises(*parse_ip(text)), std::back_inserter(all));
  for (const char* text : inner_v6) all.push_back(*parse_ip(text));
  return all;
}

class Ssrf : public testing::Test {
 protected:
  Result<FetchReply> fetch(std::string url, Reach reach) {
    FetchRequest request;
    request.url = std::move(url);
    request.reach = reach;
    std::promise<Result<FetchReply>> promise;
    auto future = promise.get_future();
    fetcher_->get(std::move(request), [promise = std::move(promise)](auto result) mutable {
      promise.set_value(std::move(result));
    });
    if (future.wait_for(ceiling) != std::future_status::ready) return fail(Errc::internal, "hangs");
    return future.get();
  }
  std::vector<std::string> connected() {
    const std::scoped_lock lock(mutex_);
    return connected_;
  }
  void TearDown() override {
    threads_.stop();
    fetcher_.reset();
  }

  std::function<std::vector<IpAddress>()> resolve_;
  std::atomic<int> resolved_{0};

 private:
  FetchSeams seams() {
    FetchSeams seams;
    seams.resolve = [this](const std::string&) {
      ++resolved_;
      return resolve_();
    };
    seams.connecting = [this](const IpAddress& address, std::uint16_t) {
      const std::scoped_lock lock(mutex_);
      connected_.push_back(address.text());
    };
    return seams;
  }

  std::mutex mutex_;  // guards connected_: written on the io_context's thread
  std::vector<std::string> connected_;
  IoThreads threads_;
  std::unique_ptr<Fetcher> fetcher_ = make_fetcher(threads_.first(), seams());
};

TEST_F(Ssrf, connects_to_no_inner_address_a_name_resolves_to) {
  int tried = 0;
  for (const IpAddress& inner : inner_addresses()) {
    resolve_ = [&] { return std::vector<IpAddress>{inner}; };
    auto reply = fetch("https://pds.example.com/.well-known/did.json", Reach::public_only);

    ASSERT_FALSE(reply.has_value()) << inner.text();
    EXPECT_EQ(reply.error().code, Errc::invalid_request) << inner.text();
    ++tried;
  }
  RecordProperty("addresses", tried);
  EXPECT_GE(tried, 150);
  EXPECT_EQ(resolved_, tried);
  EXPECT_THAT(connected(), testing::IsEmpty());
}

TEST_F(Ssrf, connects_to_no_inner_address_among_many) {
  resolve_ = [] { return inner_addresses(); };

  auto reply = fetch("https://pds.example.com/", Reach::public_only);

  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, Errc::invalid_request);
  EXPECT_THAT(connected(), testing::IsEmpty());
}

TEST_F(Ssrf, takes_development_for_loopback_only) {
  for (const IpAddress& inner : inner_addresses()) {
    if (inner.is_loopback()) continue;
    resolve_ = [&] { return std::vector<IpAddress>{inner}; };
    for (const char* url : {"http://pds.example.com:8080/", "https://pds.example.com/"}) {
      auto reply = fetch(url, Reach::development);

      ASSERT_FALSE(reply.has_value()) << inner.text();
      EXPECT_EQ(reply.error().code, Errc::invalid_request) << inner.text();
    }
  }
  EXPECT_THAT(connected(), testing::IsEmpty());
}

/// A name that changes its address: the one looked at is the one connected to, and a name is looked
/// up once for each fetch.
TEST_F(Ssrf, connects_to_the_address_it_checked) {
  TestServer origin([](Request, Respond respond) { respond(Response{.body = "{}"}); });
  const auto url = "http://pds.example.com:" + std::to_string(origin.port()) + "/";
  int turn = 0;
  resolve_ = [&] {
    const bool good = turn++ % 2 == 0;
    return std::vector<IpAddress>{*parse_ip(good ? "127.0.0.1" : "10.0.0.1")};
  };
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(fetch(url, Reach::development).has_value(), i % 2 == 0) << i;
    EXPECT_EQ(resolved_, i + 1);
  }
  EXPECT_THAT(connected(), testing::AllOf(testing::SizeIs(10), testing::Each("127.0.0.1")));
}

TEST_F(Ssrf, passes_over_inner_addresses_beside_an_allowed_one) {
  TestServer origin([](Request, Respond respond) { respond(Response{.body = "{}"}); });
  const auto url = "http://pds.example.com:" + std::to_string(origin.port()) + "/";
  resolve_ = [] {
    auto all = inner_addresses();
    std::erase_if(all, [](const IpAddress& address) { return address.is_loopback(); });
    all.push_back(*parse_ip("127.0.0.1"));
    return all;
  };

  EXPECT_TRUE(fetch(url, Reach::development).has_value());
  EXPECT_THAT(connected(), testing::ElementsAre("127.0.0.1"));
}

TEST_F(Ssrf, follows_no_redirect_from_an_allowed_host) {
  std::string location;
  int status = 0;
  TestServer origin([&](Request, Respond respond) {
    Response response;
    response.status = status;
    response.headers = {{"location", location}, {"refresh", "0;url=" + location}};
    respond(std::move(response));
  });
  const auto port = std::to_string(origin.port());
  int tried = 0;
  for (int code : {300, 301, 302, 303, 307, 308}) {
    for (const std::string& to :
         {"http://127.0.0.1:" + port + "/again", std::string("http://169.254.169.254/"),
          "http://[::1]:" + port + "/", std::string("https://10.0.0.1/"), std::string("/again")}) {
      status = code;
      location = to;
      auto reply = fetch("http://127.0.0.1:" + port + "/", Reach::development);

      ASSERT_TRUE(reply.has_value());
      EXPECT_EQ(reply->status, code);
      EXPECT_EQ(connected().size(), static_cast<std::size_t>(++tried)) << to;
    }
  }
}

}  // namespace
}  // namespace catbird::http
