// SPDX-License-Identifier: MIT
// The transport under real load: several workers, answers that come from other threads, clients
// that pipeline, leave in the middle and stream, and a drain in between. ThreadSanitizer watches;
// the assertions are about answers and counts, never about time.
#include "app/threads.hpp"
#include "http/server.hpp"
#include "support/http_peer.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace catbird::http {
namespace {

using test::RawClient;
using test::TestServer;

constexpr std::size_t io_threads = 3;
constexpr std::size_t clients = 4;
constexpr std::size_t rounds = 25;     // connections of each client
constexpr std::size_t pipelined = 12;  // requests a connection sends at once
constexpr std::size_t chunks = 40;     // of a stream that is read to its end

std::string get(const std::string& path) { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"; }
std::string post(const std::string& path, const std::string& body) {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

void in_parallel(const std::function<void(std::size_t)>& client) {
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < clients; ++i) threads.emplace_back([&client, i] { client(i); });
}

/// Chunks that another thread makes, as the lane and the readers do; counts how it ended.
class Ticker final : public BodySource {
 public:
  struct Ends {
    std::atomic<std::size_t> opened{0}, cancelled{0}, finished{0}, destroyed{0};
  };
  Ticker(actors::Executor& maker, Ends& ends) : maker_(maker), ends_(ends) { ++ends_.opened; }
  ~Ticker() override { ++ends_.destroyed; }

  void next(std::move_only_function<void(Chunk)> answer) override {
    maker_.post([this_chunk = ++asked_, &ends = ends_, answer = std::move(answer)]() mutable {
      if (this_chunk <= chunks) return answer("data: " + std::string(1500, 'x') + "\n\n");
      ++ends.finished;
      answer(std::nullopt);
    });
  }
  void cancel() override { ++ends_.cancelled; }

 private:
  actors::Executor& maker_;
  Ends& ends_;
  std::size_t asked_ = 0;
};

class HttpTsan : public testing::Test {
 protected:
  // Echoes: at once, from one of two other threads, or as a stream.
  Handler handler() {
    return [this](Request request, Respond respond) {
      ++asked_;
      if (request.path == "/stream") {
        Response response;
        response.content_type = "text/event-stream";
        response.stream = std::make_shared<Ticker>(back_[0], ends_);
        return respond(std::move(response));
      }
      Response response{.body = request.path + request.body};
      if (request.path.ends_with("/now")) return respond(std::move(response));
      auto& thread = back_[request.path.size() % back_.size()];
      thread.post([response = std::move(response), respond = std::move(respond)]() mutable {
        respond(std::move(response));
      });
    };
  }
  // Bounds that are never reached, yet counted by every worker.
  static ServerOptions options() {
    ServerOptions options;
    options.limits.connections_per_peer_max = 1000;
    return options;
  }
  void stop_back() {
    for (auto& thread : back_) thread.stop();
  }

  std::atomic<std::size_t> asked_{0};
  Ticker::Ends ends_;
  std::array<app::BlockingThread, 2> back_;
};

TEST_F(HttpTsan, every_pipelined_request_is_answered_once_and_in_its_place) {
  TestServer server(handler(), options(), io_threads);

  std::atomic<std::size_t> right{0};
  in_parallel([&](std::size_t own) {
    for (std::size_t round = 0; round < rounds; ++round) {
      RawClient client(server.port());
      std::string all;
      std::vector<std::string> expected;
      for (std::size_t i = 0; i < pipelined; ++i) {
        const auto path = "/" + std::to_string(own) + "/" + std::string(i, 'p') +
                          (i % 3 == 0 ? "/now" : "/later");
        const auto body = std::string(i * 700, 'b');
        all += i % 2 == 0 ? get(path) : post(path, body);
        expected.push_back(path + (i % 2 == 0 ? "" : body));
      }
      client.send(all);
      for (const auto& one : expected) right += client.reply().body == one ? 1 : 0;
    }
  });
  stop_back();

  EXPECT_EQ(right, clients * rounds * pipelined);
  EXPECT_EQ(asked_, clients * rounds * pipelined);
}

TEST_F(HttpTsan, clients_that_leave_in_the_middle_harm_nobody) {
  TestServer server(handler(), options(), io_threads);

  std::atomic<std::size_t> right{0};
  in_parallel([&](std::size_t own) {
    for (std::size_t round = 0; round < rounds; ++round) {
      const auto whole = post("/" + std::to_string(own) + "/later", std::string(3000, 'b'));
      RawClient steady(server.port());
      {  // one leaves in its headers, one in its body, one before its answers
        RawClient early(server.port());
        early.send(whole.substr(0, 20));
        RawClient middle(server.port());
        middle.send(whole.substr(0, whole.size() - 100));
        RawClient late(server.port());
        late.send(whole + whole + whole);
      }
      for (int i = 0; i < 3; ++i) right += steady.ask(whole).status == 200 ? 1 : 0;
    }
  });
  auto drained = server.drain();
  drained.get();
  stop_back();

  EXPECT_EQ(right, clients * rounds * 3);
  EXPECT_EQ(server.server().connections(), 0U);
}

TEST_F(HttpTsan, streams_end_once_each_whether_read_or_left) {
  TestServer server(handler(), options(), io_threads);

  std::atomic<std::size_t> complete{0};
  in_parallel([&](std::size_t own) {
    for (std::size_t round = 0; round < rounds; ++round) {
      RawClient client(server.port(), 4096);
      client.send(get("/stream"));
      client.read_until("\r\n\r\n");
      if ((own + round) % 2 == 0) {
        complete += client.read_to_end().ends_with("\r\n0\r\n\r\n") ? 1 : 0;
      } else {
        client.read_until("xx\n\n");  // leaves while more is being written
      }
    }
  });
  auto drained = server.drain();
  drained.get();
  stop_back();

  EXPECT_EQ(complete, clients * rounds / 2);
  EXPECT_EQ(ends_.opened, clients * rounds);
  EXPECT_EQ(ends_.destroyed, clients * rounds);
  EXPECT_GE(ends_.finished, clients * rounds / 2);
  EXPECT_GE(ends_.finished + ends_.cancelled, clients * rounds);
}

TEST_F(HttpTsan, a_drain_under_load_answers_what_was_taken) {
  TestServer server(handler(), options(), io_threads);

  // Each client goes on until it is told to stop, and one tells the server to.
  std::atomic<std::size_t> wrong{0};
  std::atomic<std::size_t> answers{0};
  std::atomic<bool> draining{false};
  std::future<void> drained;
  in_parallel([&](std::size_t own) {
    for (std::size_t round = 0;; ++round) {
      RawClient client(server.port());
      if (!client.connected()) return;
      if (own % 2 == 1) {
        client.send(get("/stream"));
        if (client.read_until("xx\n\n").ends_with("<ended>") && draining) return;
        continue;
      }
      const auto path = "/" + std::to_string(round) + "/later";
      for (int i = 0; i < 8; ++i) {
        const auto reply = client.ask(get(path));
        if (reply.status == 0) break;  // closed before it was read: the client may ask elsewhere
        wrong += reply.body == path ? 0 : 1;
        if (++answers == 400) {
          draining = true;
          drained = server.drain();
        }
      }
    }
  });
  drained.get();
  stop_back();

  EXPECT_EQ(wrong, 0U);
  EXPECT_GE(answers, 400U);
  EXPECT_EQ(ends_.destroyed, ends_.opened);
  EXPECT_EQ(server.server().connections(), 0U);
}

}  // namespace
}  // namespace catbird::http
