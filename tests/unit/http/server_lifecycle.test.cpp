// SPDX-License-Identifier: MIT
#include "http/server.hpp"
#include "support/http_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>
#include <thread>

namespace catbird::http {
namespace {

using namespace std::chrono_literals;
using test::RawClient;
using test::TestServer;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

/// How long a test waits for something that must happen; only a defect ever reaches it.
constexpr auto ceiling = 20s;
std::string const request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

void ok(Request, Respond respond) { respond({}); }

/// Keeps a request until the test answers it.
class Held {
 public:
  Handler handler() {
    return [this](Request, Respond respond) {
      std::lock_guard lock(mutex_);
      responds_.push_back(std::move(respond));
      changed_.notify_all();
    };
  }
  Respond take() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, ceiling, [&] { return !responds_.empty(); }));
    Respond respond = std::move(responds_.front());
    responds_.erase(responds_.begin());
    return respond;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Respond> responds_;
};

TEST(ServerDrain, finishes_the_request_in_flight_and_then_reports) {
  Held held;
  TestServer server(held.handler());
  RawClient busy(server.port());
  busy.send(request);
  auto respond = held.take();

  auto done = server.drain();
  respond({});

  auto reply = busy.reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.head, HasSubstr("connection: close"));
  EXPECT_EQ(busy.read_to_end(), "");
  busy.close();
  ASSERT_EQ(done.wait_for(ceiling), std::future_status::ready);
  EXPECT_EQ(server.server().connections(), 0U);
}

TEST(ServerDrain, closes_idle_connections_and_takes_no_more) {
  TestServer server(ok, {}, 2);
  RawClient used(server.port());
  RawClient fresh(server.port());
  EXPECT_EQ(used.ask(request).status, 200);

  auto done = server.drain();

  EXPECT_EQ(used.read_to_end(), "");
  EXPECT_EQ(fresh.read_to_end(), "");
  ASSERT_EQ(done.wait_for(ceiling), std::future_status::ready);
  EXPECT_FALSE(RawClient(server.port()).connected());
}

TEST(ServerDrain, reports_at_once_when_nobody_is_there) {
  TestServer server(ok, {}, 2);

  EXPECT_EQ(server.drain().wait_for(ceiling), std::future_status::ready);
}

TEST(ServerDrain, ends_a_connection_whose_request_is_still_arriving_after_its_answer) {
  TestServer server(ok);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_THAT(client.read_until("\r\n\r\n"), HasSubstr("100 Continue"));

  auto done = server.drain();
  client.send("body");

  EXPECT_THAT(client.read_to_end(), HasSubstr("connection: close"));
  client.close();
  EXPECT_EQ(done.wait_for(ceiling), std::future_status::ready);
}

TEST(ServerDrain, cuts_a_client_that_never_sends_the_rest_of_its_request) {
  TestServer server(ok);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  client.read_until("\r\n\r\n");

  auto done = server.drain();

  EXPECT_THAT(client.read_to_end(), StartsWith("HTTP/1.1 408 "));
  client.close();
  EXPECT_EQ(done.wait_for(ceiling), std::future_status::ready);
}

TEST(ServerStart, fails_in_one_line_when_the_port_is_taken_or_the_host_is_no_address) {
  TestServer first(ok);
  test::IoThreads threads;
  ServerOptions options;
  options.port = first.port();

  auto taken = Server::start(threads.contexts(), options, ok);
  options.host = "not an address";
  auto nowhere = Server::start(threads.contexts(), options, ok);
  options.host = "127.0.0.1";
  options.trusted_proxy_cidrs = {"10.0.0.0/33"};
  auto bad_proxy = Server::start(threads.contexts(), options, ok);

  ASSERT_FALSE(taken.has_value());
  EXPECT_THAT(taken.error().detail, StartsWith("cannot listen on 127.0.0.1:"));
  EXPECT_FALSE(nowhere.has_value());
  EXPECT_FALSE(bad_proxy.has_value());
}

TEST(ServerDestruction, drops_answers_that_come_after_it) {
  Held held;
  Respond late;
  {
    TestServer server(held.handler());
    RawClient client(server.port());
    client.send(request);
    late = held.take();
  }

  late({});  // ASan is the judge.
}

TEST(ServerCaps, tells_connections_over_the_cap_to_come_back_and_recovers) {
  ServerOptions options;
  options.limits.connections_max = 2;
  TestServer server(ok, options, 2);
  auto first = std::make_unique<RawClient>(server.port());
  RawClient second(server.port());
  EXPECT_EQ(first->ask(request).status, 200);
  EXPECT_EQ(second.ask(request).status, 200);

  RawClient third(server.port());
  third.send(request);
  auto refusal = third.read_to_end();

  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(refusal, HasSubstr("retry-after: 1\r\n"));
  EXPECT_THAT(refusal, HasSubstr(R"({"error":")"));
  EXPECT_EQ(second.ask(request).status, 200);

  first.reset();
  auto admitted = [&] { return RawClient(server.port()).ask(request).status == 200; };
  auto const end = std::chrono::steady_clock::now() + ceiling;
  bool recovered = admitted();
  while (!recovered && std::chrono::steady_clock::now() < end) recovered = admitted();
  EXPECT_TRUE(recovered);
}

TEST(ServerCaps, counts_connections_per_peer) {
  ServerOptions options;
  options.limits.connections_per_peer_max = 1;
  TestServer server(ok, options);
  RawClient first(server.port());
  EXPECT_EQ(first.ask(request).status, 200);

  EXPECT_THAT(RawClient(server.port()).read_to_end(), StartsWith("HTTP/1.1 503 "));
}

TEST(ServerCaps, bounds_all_answers_left_unread_together) {
  std::string const large(std::size_t{48} * 1024 * 1024, 'L');  // far more than the kernel buffers
  std::string const small = "GET /small HTTP/1.1\r\nHost: x\r\n\r\n";
  ServerOptions options;
  options.limits.unsent_bytes_total_max = std::size_t{64} * 1024 * 1024;
  std::atomic<int> calls{0};
  TestServer server(
      [&](Request asked, Respond respond) {
        ++calls;
        Response response;
        response.body = asked.path == "/small" ? "small" : large;
        respond(std::move(response));
      },
      options);
  RawClient slow(server.port());
  slow.send(request + small);
  RawClient other(server.port());
  // One worker: once it has the second client's request, the first answer waits for its reader.
  while (calls.load() == 0) std::this_thread::yield();

  other.send(request);
  EXPECT_LT(other.read_to_end().size(), large.size());
  EXPECT_EQ(RawClient(server.port()).ask(small).status, 200);

  EXPECT_TRUE(slow.reply().body == large);
  EXPECT_EQ(slow.reply().body, "small");
  EXPECT_TRUE(RawClient(server.port()).ask(request).body == large);
}

TEST(ServerCaps, bounds_all_bodies_being_read_together) {
  ServerOptions options;
  options.limits.body_bytes_total_max = 100'000;
  TestServer server(ok, options);
  std::string const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n";
  RawClient slow(server.port());
  slow.send(head + "Expect: 100-continue\r\n\r\n");
  EXPECT_THAT(slow.read_until("\r\n\r\n"), HasSubstr("100 Continue"));
  slow.send(std::string(80'000, 'x'));
  RawClient other(server.port());

  other.send(head + "\r\n" + std::string(89'999, 'x'));
  auto refusal = other.read_to_end();
  slow.send(std::string(10'000, 'x'));

  EXPECT_THAT(refusal, StartsWith("HTTP/1.1 503 "));
  EXPECT_EQ(slow.reply().status, 200);
  EXPECT_EQ(RawClient(server.port()).ask(head + "\r\n" + std::string(90'000, 'x')).status, 200);
}

struct Slow {
  const char* what;
  std::string bytes;
  std::string answer;  // what the client gets before the end; empty: nothing
  std::chrono::milliseconds ServerLimits::* deadline;
  std::chrono::milliseconds value;
  friend void PrintTo(const Slow& slow, std::ostream* out) { *out << slow.what; }
};

class ServerDeadline : public testing::TestWithParam<Slow> {};

TEST_P(ServerDeadline, ends_the_connection) {
  ServerOptions options;
  options.limits.*GetParam().deadline = GetParam().value;
  TestServer server(ok, options);
  RawClient client(server.port());

  client.send(GetParam().bytes);
  auto text = client.read_to_end();

  if (GetParam().answer.empty()) {
    EXPECT_EQ(text, "");
  } else {
    EXPECT_THAT(text, StartsWith(GetParam().answer));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , ServerDeadline,
    testing::Values(
        Slow{"without_a_request", "", "", &ServerLimits::idle_deadline, 20ms},
        // Longer: the request itself must arrive before it.
        Slow{"after_a_request", request, "HTTP/1.1 200 ", &ServerLimits::idle_deadline, 500ms},
        Slow{"inside_a_header", "GET / HTTP/1.1\r\nHos", "HTTP/1.1 408 ",
             &ServerLimits::header_deadline, 20ms},
        Slow{"inside_a_body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
             "HTTP/1.1 408 ", &ServerLimits::body_deadline, 20ms},
        Slow{"inside_a_chunk",
             "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
             "HTTP/1.1 408 ", &ServerLimits::body_deadline, 20ms}),
    [](const auto& info) { return std::string(info.param.what); });

TEST(ServerAnswerDeadline, says_503_and_takes_no_answer_for_another_requests) {
  Held held;
  ServerOptions options;
  options.limits.answer_deadline = 50ms;
  TestServer server(held.handler(), options);
  RawClient client(server.port());
  client.send(request + request);  // the second one must not get the first one's answer
  auto respond = held.take();

  auto reply = client.reply();
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.head, HasSubstr("retry-after: 1"));
  EXPECT_THAT(reply.head, HasSubstr("connection: close"));
  EXPECT_THAT(reply.body, HasSubstr("TemporarilyUnavailable"));
  respond({});
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(ServerWriteDeadline, cuts_a_reader_that_stalls_inside_a_large_answer) {
  ServerOptions options;
  options.limits.write_deadline = 30ms;
  TestServer server(
      [](Request, Respond respond) {
        Response response;
        response.body.assign(64 * 1024 * 1024, 'x');
        respond(std::move(response));
      },
      options);
  RawClient client(server.port(), 4096);
  client.send(request);
  client.read_until("\r\n\r\n");

  auto const end = std::chrono::steady_clock::now() + ceiling;
  while (server.server().connections() > 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }

  EXPECT_EQ(server.server().connections(), 0U);
}

}  // namespace
}  // namespace catbird::http
