// SPDX-License-Identifier: MIT
#include "xrpc/router.hpp"

#include "unit/xrpc/world.hpp"
#include "xrpc/endpoint.hpp"

#include <regex>
#include <set>

namespace catbird::xrpc {
namespace {

WorldOptions limited(std::uint32_t per_user, std::uint32_t per_address) {
  WorldOptions options;
  options.rates.per_minute.fill(per_user);
  options.ip_per_minute = per_address;
  return options;
}

http::Request request_of(http::Method method, const std::string& path) {
  return {.method = method,
          .path = path,
          .query = {},
          .authorization = "Bearer " + alice,
          .content_type = "application/json",
          .peer = "192.0.2.1",
          .body = "{}"};
}

TEST(Router, answers_501_for_methods_it_does_not_have) {
  World world;
  for (const auto* path : {"/xrpc/blue.catbird.mls.noSuchMethod", "/xrpc/", "/xrpc/x",
                           "/xrpc/blue.catbird.mls.getEpoch/", "/xrpc/blue.catbird.mls.getepoch"}) {
    const auto response = world.send(request_of(http::Method::get, path));

    EXPECT_EQ(response.status, 501) << path;
    EXPECT_EQ(error_of(response), "MethodNotImplemented") << path;
  }
  EXPECT_TRUE(world.auth.methods.empty());
}

TEST(Router, answers_405_for_the_wrong_http_method_of_every_endpoint) {
  World world;
  for (const auto& endpoint : endpoints()) {
    const bool posts = endpoint.method == http::Method::post;
    const auto wrong = posts ? http::Method::get : http::Method::post;

    const auto response = world.send(request_of(wrong, "/xrpc/" + std::string(endpoint.nsid)));

    EXPECT_EQ(response.status, 405) << endpoint.nsid;
    EXPECT_EQ(header_of(response, "Allow"), posts ? "POST" : "GET") << endpoint.nsid;
  }
  EXPECT_TRUE(world.auth.methods.empty());
}

TEST(Router, asks_for_a_token_of_its_own_method_at_every_endpoint) {
  World world;
  for (const auto& endpoint : endpoints()) {
    auto request = request_of(endpoint.method, "/xrpc/" + std::string(endpoint.nsid));
    request.authorization.clear();

    const auto response = world.send(std::move(request));

    EXPECT_EQ(response.status, 401) << endpoint.nsid;
    EXPECT_EQ(error_of(response), "AuthenticationRequired") << endpoint.nsid;
    if (endpoint.by_ticket) continue;
    EXPECT_EQ(json_of(response)["message"], "no token") << endpoint.nsid;
    EXPECT_EQ(world.auth.methods.back(), endpoint.nsid);
  }
  EXPECT_TRUE(world.gateway.commands.empty());
}

TEST(Router, answers_415_for_a_body_that_is_not_json) {
  World world;
  for (const auto* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                           "application/jsonp", "application/cbor"}) {
    auto request = request_of(http::Method::post, "/xrpc/blue.catbird.mls.leaveConvo");
    request.content_type = type;

    EXPECT_EQ(world.send(std::move(request)).status, 415) << type;
  }
}

TEST(Router, takes_json_however_it_is_written) {
  World world;
  for (const auto* type : {"", "application/json", "application/json; charset=utf-8",
                           "Application/JSON", "application/json;charset=UTF-8"}) {
    auto request = request_of(http::Method::post, "/xrpc/blue.catbird.mls.leaveConvo");
    request.content_type = type;

    EXPECT_EQ(world.send(std::move(request)).status, 400) << type;  // convoId is missing
  }
}

TEST(Router, answers_400_for_a_broken_body_or_query_of_every_endpoint) {
  World world;
  for (const auto& endpoint : endpoints()) {
    auto request = request_of(endpoint.method, "/xrpc/" + std::string(endpoint.nsid));
    request.body = "[]";
    request.query = "convoId=%zz";

    const auto response = world.send(std::move(request));

    EXPECT_EQ(response.status, 400) << endpoint.nsid;
    EXPECT_EQ(error_of(response), "InvalidRequest") << endpoint.nsid;
  }
}

TEST(Router, limits_a_user_and_says_how_long_to_wait) {
  World world(limited(2, 0));
  world.get("getEpoch", "convoId=aa");
  world.get("getEpoch", "convoId=aa");

  const auto refused = world.get("getEpoch", "convoId=aa", alice + "#other-device");
  const auto other = world.get("getEpoch", "convoId=aa", bob);
  world.loop.advance(std::chrono::seconds(std::stoi("0" + header_of(refused, "Retry-After"))));
  const auto later = world.get("getEpoch", "convoId=aa");

  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(error_of(refused), "RateLimitExceeded");
  EXPECT_EQ(header_of(refused, "Retry-After"), "30");
  EXPECT_EQ(other.status, 403);
  EXPECT_EQ(later.status, 403);
}

TEST(Router, limits_an_address_before_it_looks_at_the_token) {
  World world(limited(0, 1));
  world.get("getEpoch", "convoId=aa");

  const auto refused = world.get("getEpoch", "convoId=aa", bob);
  auto elsewhere = request_of(http::Method::get, "/xrpc/blue.catbird.mls.getEpoch");
  elsewhere.peer = "192.0.2.2";

  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(header_of(refused, "Retry-After"), "60");
  EXPECT_EQ(world.auth.methods.size(), 1U);
  EXPECT_NE(world.send(std::move(elsewhere)).status, 429);
}

TEST(Router, turns_an_exception_into_one_500) {
  World world;
  world.gateway.seen = [](const core::ConvoId&, const core::Did&) -> Result<core::Access> {
    throw std::runtime_error("a bug with secrets");
  };

  const auto response = world.get("getEpoch", "convoId=aa");

  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(json_of(response),
            Json({{"error", "InternalServerError"}, {"message", "an internal error"}}));
}

TEST(Router, labels_metrics_from_its_own_table_only) {
  World world;
  for (const auto* path :
       {"/xrpc/blue.catbird.mls.evil1", "/xrpc/evil2", "/evil3", "/health/evil4"}) {
    world.send(request_of(http::Method::get, path));
  }
  world.get("getEpoch", "convoId=evil5", "did:web:evil6.example");

  const auto page = world.metrics->page();

  EXPECT_EQ(page.find("evil"), std::string::npos);
  std::set<std::string> known;
  for (const auto& endpoint : endpoints()) {
    known.emplace(endpoint.nsid.substr(endpoint.nsid.rfind('.') + 1));
  }
  const std::regex label("method=\"([^\"]*)\"");
  std::set<std::string> said;
  for (std::sregex_iterator it(page.begin(), page.end(), label), end; it != end; ++it) {
    said.insert((*it)[1]);
  }
  EXPECT_EQ(said, std::set<std::string>{"getEpoch"});
  EXPECT_TRUE(known.contains("getEpoch"));
  EXPECT_NE(page.find("status=\"403\""), std::string::npos);
}

TEST(Router, serves_the_operators_pages) {
  World world;
  auto get = [&](const std::string& path) {
    return world.send(request_of(http::Method::get, path));
  };

  EXPECT_EQ(get("/health/live").status, 200);
  EXPECT_EQ(get("/health/ready").status, 503);
  world.readiness.accepting = true;
  EXPECT_EQ(get("/health/ready").status, 200);
  EXPECT_EQ(json_of(get("/health"))["checks"]["actors"]["active_actors"], 7);
  EXPECT_TRUE(json_of(get("/xrpc/_health")).contains("version"));
  EXPECT_EQ(json_of(get("/.well-known/did.json"))["service"][0]["serviceEndpoint"],
            "https://mls.example");
  EXPECT_EQ(get("/metrics").status, 200);
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(world.send(request_of(http::Method::post, "/health")).status, 405);
}

TEST(Router, is_not_ready_and_not_healthy_while_the_store_fails) {
  World world;
  world.readiness.accepting = true;
  world.disk.on_read([] { return true; });

  EXPECT_EQ(world.send(request_of(http::Method::get, "/health")).status, 503);
  EXPECT_EQ(world.send(request_of(http::Method::get, "/health/ready")).status, 503);
  EXPECT_EQ(world.send(request_of(http::Method::get, "/health/live")).status, 200);
}

TEST(Router, guards_the_metrics_page_with_its_token) {
  World world;
  world.services.settings.metrics_token = "abc";
  auto request = request_of(http::Method::get, "/metrics");
  EXPECT_EQ(world.send(request).status, 401);

  request.authorization = "Bearer abc";
  EXPECT_EQ(world.send(request).status, 200);

  world.services.settings.serve_metrics = false;
  EXPECT_EQ(world.send(request).status, 404);
}

}  // namespace
}  // namespace catbird::xrpc
