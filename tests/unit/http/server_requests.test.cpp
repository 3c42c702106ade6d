// SPDX-License-Identifier: MIT
#include "http/server.hpp"
#include "support/http_peer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

namespace catbird::http {
namespace {

using test::RawClient;
using test::TestServer;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string name(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::head:
      return "HEAD";
    case Method::post:
      return "POST";
    case Method::other:
      return "OTHER";
  }
  return "?";
}

/// Answers with what it was asked, so that a test sees what arrived.
void echo(Request request, Respond respond) {
  Response response;
  response.content_type = "text/plain";
  response.body = name(request.method) + " " + request.path + " ?" + request.query +
                  " auth=" + request.authorization + " type=" + request.content_type +
                  " peer=" + request.peer + " body=" + request.body;
  respond(std::move(response));
}

std::string get(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}
std::string post(std::string_view body, std::string_view more = "") {
  return "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(more) + "\r\n" + std::string(body);
}

TEST(ServerRequests, hands_over_the_raw_target_and_the_fields_it_keeps) {
  TestServer server(echo);
  RawClient client(server.port());

  auto reply = client.ask(
      "POST /a%20b?q=%41&z HTTP/1.1\r\nhOsT: x\r\nAuthorization: Bearer t\r\n"
      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");

  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            "POST /a%20b ?q=%41&z auth=Bearer t type=application/json peer=127.0.0.1 body={}");
  EXPECT_THAT(reply.head, HasSubstr("\r\ndate: "));
  EXPECT_THAT(reply.head, Not(HasSubstr("connection: close")));
}

TEST(ServerRequests, gives_a_body_64_spare_bytes) {
  std::atomic<std::size_t> spare{0};
  TestServer server([&](Request request, Respond respond) {
    spare = request.body.capacity() - request.body.size();
    respond({});
  });
  RawClient client(server.port());

  for (std::size_t size : {0U, 1U, 100U, 70'000U, 1'000'000U}) {
    ASSERT_EQ(client.ask(post(std::string(size, 'x'))).status, 200);
    EXPECT_GE(spare.load(), 64U) << size;
  }
}

TEST(ServerRequests, keeps_a_connection_for_the_next_request) {
  TestServer server(echo);
  RawClient client(server.port());

  for (int i = 0; i < 50; ++i) {
    EXPECT_THAT(client.ask(get("/" + std::to_string(i))).body,
                StartsWith("GET /" + std::to_string(i) + " "));
  }
  EXPECT_EQ(server.server().connections(), 1U);
}

TEST(ServerRequests, answers_pipelined_requests_in_order) {
  TestServer server(echo);
  RawClient client(server.port());
  std::string burst;
  for (int i = 0; i < 500; ++i)
    burst += get("/" + std::to_string(i)) + post("b" + std::to_string(i));

  client.send(burst);

  for (int i = 0; i < 500; ++i) {
    ASSERT_THAT(client.reply().body, StartsWith("GET /" + std::to_string(i) + " "));
    ASSERT_THAT(client.reply().body, HasSubstr("body=b" + std::to_string(i)));
  }
}

TEST(ServerRequests, answers_pipelined_requests_in_order_when_the_answers_come_from_elsewhere) {
  std::vector<std::jthread> threads;
  TestServer server([&](Request request, Respond respond) {
    threads.emplace_back([request = std::move(request), respond = std::move(respond)]() mutable {
      echo(std::move(request), std::move(respond));
    });
  });
  RawClient client(server.port());
  std::string burst;
  for (int i = 0; i < 20; ++i) burst += get("/" + std::to_string(i));

  client.send(burst);

  for (int i = 0; i < 20; ++i) {
    ASSERT_THAT(client.reply().body, StartsWith("GET /" + std::to_string(i) + " "));
  }
}

TEST(ServerRequests, reads_a_request_that_arrives_byte_by_byte) {
  TestServer server(echo);
  RawClient client(server.port());

  for (char c : post("hello", "Content-Type: t\r\n")) client.send(std::string_view(&c, 1));

  EXPECT_THAT(client.reply().body, HasSubstr("type=t peer=127.0.0.1 body=hello"));
}

TEST(ServerRequests, reads_chunked_bodies_and_ignores_their_trailers) {
  TestServer server(echo);
  RawClient client(server.port());

  auto reply = client.ask(
      "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5;ext=1\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nAuthorization: Bearer late\r\n"
      "X-Forwarded-For: 9.9.9.9\r\n\r\n");

  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr("auth= "));
  EXPECT_THAT(reply.body, HasSubstr("body=hello world"));
  EXPECT_THAT(client.ask(get("/next")).body, StartsWith("GET /next"));
}

TEST(ServerRequests, answers_head_without_a_body_but_with_its_length) {
  TestServer server(echo);
  RawClient client(server.port());

  client.send("HEAD /h HTTP/1.1\r\nHost: x\r\n\r\n" + get("/after"));
  auto head = client.reply(true);
  auto after = client.reply();

  EXPECT_THAT(head.head, HasSubstr("content-length: "));
  EXPECT_THAT(head.head, Not(HasSubstr("content-length: 0")));
  EXPECT_THAT(after.body, StartsWith("GET /after"));
}

TEST(ServerRequests, invites_a_body_that_waits_for_100_continue) {
  TestServer server(echo);
  RawClient client(server.port());

  client.send("POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  auto invitation = client.read_until("\r\n\r\n");
  auto reply = client.ask("abc");

  EXPECT_EQ(invitation, "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_THAT(reply.body, HasSubstr("body=abc"));
}

TEST(ServerRequests, refuses_an_oversize_body_before_inviting_it) {
  ServerOptions options;
  options.limits.body_bytes_max = 10;
  TestServer server(echo, options);
  RawClient client(server.port());

  auto reply = client.ask(
      "POST /e HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");

  EXPECT_EQ(reply.status, 413);
}

TEST(ServerRequests, takes_absolute_targets_and_other_methods) {
  TestServer server(echo);
  RawClient client(server.port());

  EXPECT_THAT(client.ask(get("http://host:80/abs?x=1")).body, StartsWith("GET /abs ?x=1 "));
  EXPECT_THAT(client.ask(get("http://host")).body, StartsWith("GET / ? "));
  EXPECT_THAT(client.ask("DELETE /d HTTP/1.1\r\nHost: x\r\n\r\n").body, StartsWith("OTHER /d "));
  EXPECT_THAT(client.ask("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").body, StartsWith("OTHER * "));
}

TEST(ServerRequests, closes_after_http_1_0_or_when_asked) {
  TestServer server(echo);
  for (std::string request :
       {std::string("GET /old HTTP/1.0\r\n\r\n"), get("/x", "Connection: close\r\n")}) {
    RawClient client(server.port());

    client.send(request);

    auto text = client.read_to_end();
    EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(text, HasSubstr("connection: close"));
  }
}

TEST(ServerRequests, sends_large_answers_whole) {
  std::string const large(5'000'000, 'L');
  TestServer server([&](Request, Respond respond) {
    Response response;
    response.body = large;
    respond(std::move(response));
  });
  RawClient client(server.port());

  client.send(get("/1") + get("/2"));

  EXPECT_EQ(client.reply().body.size(), large.size());
  EXPECT_TRUE(client.reply().body == large);
}

TEST(ServerRequests, turns_a_lost_or_throwing_handler_into_500) {
  TestServer server([](Request request, Respond respond) {
    if (request.path == "/throw") throw std::runtime_error("secret");
    auto dropped = std::move(respond);
  });
  RawClient client(server.port());

  for (std::string path : {"/throw", "/drop", "/throw"}) {
    auto reply = client.ask(get(path));
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, R"({"error":"InternalServerError","message":"internal error"})");
  }
}

TEST(ServerRequests, never_lets_a_header_value_break_the_framing) {
  TestServer server([](Request, Respond respond) {
    Response response;
    response.headers = {{"x-good", "1"}, {"x-bad", "1\r\nset-cookie: a=b"}};
    respond(std::move(response));
  });
  RawClient client(server.port());

  auto reply = client.ask(get("/"));

  EXPECT_THAT(reply.head, HasSubstr("x-good: 1\r\n"));
  EXPECT_THAT(reply.head, Not(HasSubstr("set-cookie")));
}

TEST(ServerRequests, believes_x_forwarded_for_only_from_a_trusted_proxy) {
  auto const request =
      get("/", "X-Forwarded-For: 9.9.9.9, 8.8.8.8\r\nX-Forwarded-For: 127.0.0.2\r\n");
  TestServer untrusting(echo);
  ServerOptions options;
  options.trusted_proxy_cidrs = {"127.0.0.0/8"};
  TestServer trusting(echo, options);

  EXPECT_THAT(RawClient(untrusting.port()).ask(request).body, HasSubstr("peer=127.0.0.1 "));
  EXPECT_THAT(RawClient(trusting.port()).ask(request).body, HasSubstr("peer=8.8.8.8 "));
}

TEST(ServerRequests, serves_many_clients_on_two_workers) {
  TestServer server(echo, {}, 2);
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> clients;
    for (int c = 0; c < 8; ++c) {
      clients.emplace_back([&, c] {
        RawClient client(server.port());
        for (int i = 0; i < 100; ++i) {
          auto const path = "/" + std::to_string(c) + "/" + std::to_string(i);
          if (client.ask(get(path)).body.starts_with("GET " + path + " ")) ++good;
        }
      });
    }
  }
  EXPECT_EQ(good.load(), 800);
}

struct Malformed {
  const char* what;
  std::string bytes;
  int status;
  friend void PrintTo(const Malformed& malformed, std::ostream* out) { *out << malformed.what; }
};

class ServerRefuses : public testing::TestWithParam<Malformed> {};

TEST_P(ServerRefuses, with_a_json_error_and_never_calls_the_handler) {
  std::atomic<int> calls{0};
  ServerOptions options;
  options.limits.header_bytes_max = 1024;
  options.limits.body_bytes_max = 64;
  TestServer server(
      [&](Request request, Respond respond) {
        ++calls;
        echo(std::move(request), std::move(respond));
      },
      options);
  RawClient client(server.port());

  client.send(GetParam().bytes);
  client.shut_sending();
  auto text = client.read_to_end();

  EXPECT_THAT(text, StartsWith("HTTP/1.1 " + std::to_string(GetParam().status) + " ")) << text;
  EXPECT_THAT(text, HasSubstr("connection: close\r\n"));
  EXPECT_THAT(text, HasSubstr("content-type: application/json\r\n"));
  EXPECT_THAT(text, HasSubstr("{\"error\":\""));
  EXPECT_EQ(calls.load(), 0);
  EXPECT_EQ(RawClient(server.port()).ask(get("/alive")).status, 200);
}

std::string const line = "GET / HTTP/1.1\r\n";
std::string const chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    , ServerRefuses,
    testing::Values(
        Malformed{"garbage", "\x16\x03\x01\x02garbage\r\n\r\n", 400},
        Malformed{"no_version", "GET /\r\nHost: x\r\n\r\n", 400},
        Malformed{"http_2", "GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400},
        Malformed{"space_in_target", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        Malformed{"relative_target", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        Malformed{"asterisk_get", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        Malformed{"no_host", line + "\r\n", 400},
        Malformed{"two_hosts", line + "Host: x\r\nHost: y\r\n\r\n", 400},
        Malformed{"host_list", line + "Host: x, y\r\n\r\n", 400},
        Malformed{"space_before_colon", line + "Host : x\r\n\r\n", 400},
        Malformed{"bad_field_name", line + "Host: x\r\nb@d: 1\r\n\r\n", 400},
        Malformed{"nul_in_value", line + "Host: x\r\nA: b" + std::string(1, '\0') + "\r\n\r\n",
                  400},
        Malformed{"two_authorizations",
                  line + "Host: x\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n", 400},
        Malformed{"length_not_a_number", line + "Host: x\r\nContent-Length: 1x\r\n\r\n", 400},
        Malformed{"length_negative", line + "Host: x\r\nContent-Length: -1\r\n\r\n", 400},
        Malformed{"length_overflow",
                  line + "Host: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        Malformed{"two_lengths",
                  line + "Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
        Malformed{
            "length_and_chunked",
            line + "Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            400},
        Malformed{
            "chunked_and_length",
            line + "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
            400},
        Malformed{"other_coding", line + "Host: x\r\nTransfer-Encoding: gzip\r\n\r\n", 400},
        Malformed{"coding_list", line + "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400},
        Malformed{"chunked_http_1_0",
                  "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        Malformed{"bad_chunk_size", chunked + "zz\r\n", 400},
        Malformed{"chunk_longer_than_said", chunked + "1\r\nab\r\n0\r\n\r\n", 400},
        Malformed{"endless_chunk_header", chunked + "1;" + std::string(2000, 'x'), 400},
        Malformed{"chunks_too_large", chunked + "30\r\n" + std::string(48, 'x') + "\r\n30\r\n",
                  413},
        Malformed{"chunk_overflow", chunked + "fffffffffffffffff\r\n", 400},
        Malformed{"body_too_large", line + "Host: x\r\nContent-Length: 65\r\n\r\n", 413},
        Malformed{"header_too_large", line + "Host: x\r\nA: " + std::string(2000, 'a'), 431},
        Malformed{"many_fields_too_large",
                  line + "Host: x\r\n" +
                      [] {
                        std::string fields;
                        for (int i = 0; i < 300; ++i) fields += "A: b\r\n";
                        return fields;
                      }() +
                      "\r\n",
                  431},
        Malformed{"target_too_long", "GET /" + std::string(2000, 'a') + " HTTP/1.1\r\n", 431},
        Malformed{"length_twice",
                  line + "Host: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400},
        Malformed{"length_list", line + "Host: x\r\nContent-Length: 2, 2\r\n\r\nab", 400},
        Malformed{"folded_line", line + "Host: x\r\nA: b\r\n c\r\n\r\n", 400},
        Malformed{"folded_coding", line + "Host: x\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n",
                  400},
        Malformed{"target_not_ascii", "GET /\xe4 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        Malformed{"target_without_path", "GET ? HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        Malformed{"content_coding", line + "Host: x\r\nContent-Encoding: gzip\r\n\r\n", 415},
        Malformed{"long_chunk_extension", chunked + "1;" + std::string(5000, 'x') + "\r\n", 400},
        Malformed{"long_trailers", chunked + "0\r\nA: " + std::string(5000, 'x') + "\r\n\r\n", 400},
        Malformed{"header_one_byte_too_large",
                  line + "Host: x\r\nA: " + std::string(1025 - 16 - 9 - 3 - 4, 'a') + "\r\n\r\n",
                  431},
        Malformed{"unknown_expectation", line + "Host: x\r\nExpect: tea\r\n\r\n", 417}),
    [](const auto& info) { return std::string(info.param.what); });

}  // namespace
}  // namespace catbird::http
