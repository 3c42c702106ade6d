// SPDX-License-Identifier: MIT
#include "http/server.hpp"
#include "support/http_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace catbird::http {
namespace {

using namespace std::chrono_literals;
using test::RawClient;
using test::TestServer;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr auto ceiling = 20s;
std::string const request = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";

/// A source the test drives: it sees every next() and answers when it likes.
class Source final : public BodySource {
 public:
  using Answer = std::move_only_function<void(Chunk)>;

  void next(Answer answer) override {
    std::lock_guard lock(mutex_);
    ++asked_;
    answer_ = std::move(answer);
    changed_.notify_all();
  }
  void cancel() override {
    std::lock_guard lock(mutex_);
    cancelled_ = true;
    changed_.notify_all();
  }
  /// Waits for the connection to ask, then answers from this thread.
  void give(Chunk chunk) {
    Answer answer;
    {
      std::unique_lock lock(mutex_);
      ASSERT_TRUE(changed_.wait_for(lock, ceiling, [&] { return answer_ != nullptr; }));
      answer = std::exchange(answer_, nullptr);
    }
    answer(std::move(chunk));
  }
  bool wait_cancelled() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, ceiling, [&] { return cancelled_; });
  }
  bool wait_asked() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, ceiling, [&] { return answer_ != nullptr; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Answer answer_;
  int asked_ = 0;
  bool cancelled_ = false;
};

/// Answers every next() at once, for ever or `limit` times, and counts.
class Endless final : public BodySource {
 public:
  explicit Endless(std::size_t chunk_bytes, std::size_t limit = SIZE_MAX)
      : chunk_bytes_(chunk_bytes), limit_(limit) {}
  void next(std::move_only_function<void(Chunk)> answer) override {
    if (asked.fetch_add(1) >= limit_) return answer(std::nullopt);
    answer(std::string(chunk_bytes_, 'e'));
  }
  void cancel() override { cancelled = true; }

  std::atomic<std::size_t> asked{0};
  std::atomic<bool> cancelled{false};

 private:
  std::size_t chunk_bytes_, limit_;
};

Handler streaming(std::shared_ptr<BodySource> source) {
  return [source = std::move(source)](Request, Respond respond) {
    Response response;
    response.content_type = "text/event-stream";
    response.headers = {{"cache-control", "no-cache"}};
    response.stream = source;
    respond(std::move(response));
  };
}

TEST(ServerStream, sends_the_head_before_the_first_chunk_and_each_chunk_at_once) {
  auto source = std::make_shared<Source>();
  TestServer server(streaming(source));
  RawClient client(server.port());

  client.send(request);
  auto head = client.read_until("\r\n\r\n");
  source->give("data: 1\n\n");
  auto first = client.read_until("\n\n\r\n");
  source->give(std::string(20, 'x'));
  auto second = client.read_until("x\r\n");
  source->give(std::nullopt);

  EXPECT_THAT(head, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(head, HasSubstr("transfer-encoding: chunked\r\n"));
  EXPECT_THAT(head, HasSubstr("content-type: text/event-stream\r\n"));
  EXPECT_THAT(head, HasSubstr("cache-control: no-cache\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("content-length")));
  EXPECT_EQ(first, "9\r\ndata: 1\n\n\r\n");
  EXPECT_EQ(second, "14\r\n" + std::string(20, 'x') + "\r\n");
  EXPECT_EQ(client.read_to_end(), "0\r\n\r\n");
}

TEST(ServerStream, sends_plain_bytes_to_http_1_0) {
  auto source = std::make_shared<Source>();
  TestServer server(streaming(source));
  RawClient client(server.port());

  client.send("GET / HTTP/1.0\r\n\r\n");
  source->give("one");
  source->give("two");
  source->give(std::nullopt);

  EXPECT_THAT(client.read_to_end(), EndsWith("\r\n\r\nonetwo"));
}

TEST(ServerStream, cancels_the_source_when_the_client_leaves_while_nothing_is_sent) {
  auto source = std::make_shared<Source>();
  TestServer server(streaming(source));
  auto client = std::make_unique<RawClient>(server.port());
  client->send(request);
  client->read_until("\r\n\r\n");
  ASSERT_TRUE(source->wait_asked());

  client.reset();

  EXPECT_TRUE(source->wait_cancelled());
  source->give("too late");  // Ignored; ASan is the judge.
}

TEST(ServerStream, asks_for_no_more_than_the_reader_takes) {
  // 1 MiB chunks against a reader that reads nothing: only the kernel's buffers fill.
  auto source = std::make_shared<Endless>(1024 * 1024);
  TestServer server(streaming(source));
  RawClient client(server.port(), 4096);
  client.send(request);
  client.read_until("\r\n\r\n");
  // A second connection on the same worker gets its turn, so the first one is blocked by now.
  for (int i = 0; i < 20; ++i) {
    RawClient other(server.port(), 4096);
    other.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(other.read_to_end(), StartsWith("HTTP/1.1 200"));
  }
  auto const asked = source->asked.load();

  auto received = client.read_bytes(16 * 1024 * 1024);

  EXPECT_LT(asked, 16U);
  EXPECT_EQ(received.size(), 16U * 1024 * 1024);
}

TEST(ServerStream, cuts_a_reader_that_stalls_and_cancels_its_source) {
  auto source = std::make_shared<Endless>(1024 * 1024);
  ServerOptions options;
  options.limits.write_deadline = 30ms;
  TestServer server(streaming(source), options);
  RawClient client(server.port(), 4096);
  client.send(request);

  auto const end = std::chrono::steady_clock::now() + ceiling;
  while (!source->cancelled && std::chrono::steady_clock::now() < end) std::this_thread::yield();

  EXPECT_TRUE(source->cancelled);
}

TEST(ServerStream, delivers_many_ready_chunks_in_order_and_ends) {
  auto source = std::make_shared<Endless>(10, 1000);
  TestServer server(streaming(source));
  RawClient client(server.port());

  client.send(request);
  client.read_until("\r\n\r\n");
  auto text = client.read_to_end();

  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += "a\r\neeeeeeeeee\r\n";
  EXPECT_EQ(text, expected + "0\r\n\r\n");
}

TEST(ServerStream, answers_head_without_starting_the_source) {
  auto source = std::make_shared<Endless>(10);
  TestServer server(streaming(source));
  RawClient client(server.port());

  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");

  EXPECT_THAT(client.read_to_end(), EndsWith("\r\n\r\n"));
  EXPECT_EQ(source->asked, 0U);
  EXPECT_TRUE(source->cancelled);
}

TEST(ServerStream, ends_in_order_when_the_source_drops_its_answer_or_throws) {
  class Broken final : public BodySource {
   public:
    explicit Broken(bool throws) : throws_(throws) {}
    void next(std::move_only_function<void(Chunk)> answer) override {
      if (throws_) throw std::runtime_error("bug");
      auto dropped = std::move(answer);
    }
    void cancel() override {}

   private:
    bool throws_;
  };
  for (bool throws : {false, true}) {
    TestServer server(streaming(std::make_shared<Broken>(throws)));
    RawClient client(server.port());

    client.send(request);

    EXPECT_THAT(client.read_to_end(), EndsWith("\r\n\r\n0\r\n\r\n")) << throws;
  }
}

TEST(ServerStream, is_ended_by_a_drain) {
  auto source = std::make_shared<Source>();
  TestServer server(streaming(source));
  RawClient client(server.port());
  client.send(request);
  client.read_until("\r\n\r\n");
  ASSERT_TRUE(source->wait_asked());

  auto done = server.drain();

  EXPECT_EQ(client.read_to_end(), "0\r\n\r\n");
  EXPECT_TRUE(source->wait_cancelled());
  client.close();
  EXPECT_EQ(done.wait_for(ceiling), std::future_status::ready);
}

}  // namespace
}  // namespace catbird::http
