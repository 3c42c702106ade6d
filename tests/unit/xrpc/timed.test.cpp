// SPDX-License-Identifier: MIT
// What is over after a time: tickets, claims of pending additions, chat requests. With a clock that
// only the test moves.
#include "storage/tables/accounts.hpp"
#include "unit/xrpc/world.hpp"
#include "xrpc/requests/rules.hpp"

#include <gtest/gtest.h>

#include <string>

namespace catbird::xrpc {
namespace {

constexpr std::int64_t second = 1000;
constexpr std::int64_t day = 24LL * 3600 * second;

void pass(World& world, std::int64_t ms) { world.clock.time.value += ms; }

int open_socket(World& world, const std::string& ticket) {
  http::Request request;
  request.method = http::Method::get;
  request.path = "/xrpc/blue.catbird.mls.subscribeConvoEvents";
  request.query = "ticket=" + ticket;
  request.websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";
  request.peer = "192.0.2.1";
  return world.send(std::move(request)).status;
}

TEST(Timed, a_ticket_opens_one_socket_within_thirty_seconds) {
  World world;
  const auto ticket = [&world] {
    return json_of(world.post("getSubscriptionTicket", Json::object()))["ticket"]
        .get<std::string>();
  };
  const auto used = ticket();
  const auto late = ticket();
  const auto last = ticket();
  pass(world, 29 * second);
  EXPECT_EQ(open_socket(world, used), 101);
  EXPECT_EQ(open_socket(world, used), 401);
  EXPECT_EQ(open_socket(world, last), 101);
  pass(world, second);
  EXPECT_EQ(open_socket(world, late), 401);
  EXPECT_EQ(open_socket(world, late), 401);
  // Whoever gets a new one takes the unused old ones away.
  ticket();
  pass(world, 31 * second);
  ticket();
  auto reader = std::move(*world.stores->open_reader());
  EXPECT_EQ(*storage::count<storage::SubscriptionTicket>(reader->tables(), {}), 1U);
}

TEST(Timed, a_chat_request_is_over_after_its_days_and_makes_room) {
  World world;
  world.post("optIn", Json::object(), bob);
  const Json request{{"recipientDid", bob}};
  const auto first = json_of(world.post("sendChatRequest", request))["requestId"];
  EXPECT_EQ(world.post("sendChatRequest", {{"recipientDid", bob}, {"previewText", "x"}}).status,
            409);
  pass(world, 7 * day);
  EXPECT_EQ(json_of(world.get("getRequestCount", "", bob))["pendingCount"], 0);
  EXPECT_EQ(json_of(world.get("listChatRequests", "status=expired", bob))["requests"].size(), 1U);
  EXPECT_EQ(world.post("acceptChatRequest", {{"requestId", first}}, bob).status, 410);
  EXPECT_EQ(world.post("declineChatRequest", {{"requestId", first}}, bob).status, 200);
  const auto second_id = json_of(world.post("sendChatRequest", request))["requestId"];
  EXPECT_NE(second_id, first);
  EXPECT_EQ(json_of(world.get("listChatRequests", "", bob))["requests"].size(), 1U);
  EXPECT_EQ(json_of(world.get("listChatRequests", "status=expired", bob))["requests"].size(), 1U);
}

TEST(Timed, fifty_chat_requests_are_for_one_day) {
  World world;
  World* everywhere = &world;
  const auto send = [everywhere](int number) {
    const std::string user = "did:web:user" + std::to_string(number) + ".test";
    everywhere->post("optIn", Json::object(), user);
    return everywhere->post("sendChatRequest", {{"recipientDid", user}}).status;
  };
  for (int i = 0; i < 50; ++i) EXPECT_EQ(send(i), 200) << i;
  EXPECT_EQ(send(50), 429);
  pass(world, day);
  EXPECT_EQ(send(51), 200);
}

}  // namespace
}  // namespace catbird::xrpc
