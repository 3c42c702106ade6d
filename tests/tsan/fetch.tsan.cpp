// SPDX-License-Identifier: MIT
// Many threads fetch at once, as the auth of several workers does: answers, refusals for want of
// room, and a fetcher that goes while exchanges are under way.
#include "http/fetch.hpp"

#include "http/fetch_seams.hpp"
#include "support/http_peer.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace catbird::http {
namespace {

using test::IoThreads;
using test::TestServer;

constexpr std::size_t threads_count = 4;
constexpr std::size_t fetches_per_thread = 60;
constexpr std::size_t window = 12;  // more than 32 of all threads at once: some find no room

struct Tally {
  std::atomic<std::size_t> answered{0}, overloaded{0}, other{0};
};

FetchSeams loopback() {
  FetchSeams seams;
  seams.resolve = [](const std::string&) { return std::vector{*parse_ip("127.0.0.1")}; };
  return seams;
}

FetchRequest request_for(std::uint16_t port, std::size_t number) {
  FetchRequest request;
  request.url = "http://localhost:" + std::to_string(port) + "/" + std::to_string(number);
  request.reach = Reach::development;
  request.deadline = std::chrono::seconds(60);
  return request;
}

TEST(FetchTsan, every_fetch_of_many_threads_ends_once) {
  TestServer peer([](Request request, Respond respond) { respond({.body = request.path}); }, {}, 2);
  IoThreads own;
  auto fetcher = make_fetcher(own.first(), loopback());

  Tally tally;
  auto fetch_all = [&](std::size_t thread) {
    std::vector<std::future<void>> open;
    for (std::size_t i = 0; i < fetches_per_thread; ++i) {
      const auto number = thread * fetches_per_thread + i;
      auto ended = std::make_shared<std::promise<void>>();
      open.push_back(ended->get_future());
      fetcher->get(request_for(peer.port(), number), [&tally, number, ended](auto reply) {
        if (reply) {
          tally.answered += reply->body == "/" + std::to_string(number) ? 1 : 0;
        } else {
          ++(reply.error().code == Errc::overloaded ? tally.overloaded : tally.other);
        }
        ended->set_value();  // throws if it was set before
      });
      if (open.size() < window) continue;
      for (auto& one : open) one.get();
      open.clear();
    }
    for (auto& one : open) one.get();
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < threads_count; ++i) threads.emplace_back(fetch_all, i);
  }
  own.stop();
  fetcher.reset();

  EXPECT_EQ(tally.answered + tally.overloaded, threads_count * fetches_per_thread);
  EXPECT_GT(tally.answered, 0U);
  EXPECT_EQ(tally.other, 0U);
}

TEST(FetchTsan, a_fetcher_may_go_while_exchanges_are_under_way) {
  // A peer that keeps what it is asked, so that all of them are still open at the end.
  std::mutex mutex;
  std::vector<Respond> held;
  TestServer peer(
      [&](Request, Respond respond) {
        const std::lock_guard lock(mutex);
        held.push_back(std::move(respond));
      },
      {}, 2);
  for (int round = 0; round < 4; ++round) {
    IoThreads own;
    auto fetcher = make_fetcher(own.first(), loopback());
    std::atomic<std::size_t> ended{0};
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 0; i < threads_count; ++i) {
        threads.emplace_back(
            [&, i] { fetcher->get(request_for(peer.port(), i), [&ended](auto) { ++ended; }); });
      }
    }
    own.stop();
    fetcher.reset();
    EXPECT_EQ(ended, 0U);
  }
}

}  // namespace
}  // namespace catbird::http
