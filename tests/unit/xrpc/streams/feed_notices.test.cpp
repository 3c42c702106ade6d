// SPDX-License-Identifier: MIT
// Notices in a stream: in one order with the rows, for those who are there; and ephemeral messages.
#include "unit/xrpc/streams/feed_world.hpp"

namespace catbird::xrpc {
namespace {

const std::string carol = "did:plc:carol";

class FeedNotices : public ConvoFeedTest {
 protected:
  void whisper(const std::string& convo, const std::string& id) {
    std::vector<realtime::LogEvent> events;
    events.emplace_back(realtime::Whisper{.convo = core::ConvoId(convo),
                                          .seq = {},
                                          .epoch = {},
                                          .id = core::MsgId(id),
                                          .at = {},
                                          .bytes = make_blob({0, 0})});
    world.services.hub.publish(std::move(events));
  }
};

TEST_F(FeedNotices, come_live_and_again_from_any_cursor) {
  auto live = open(cursor_at(0).substr(1));
  live->drain();
  world.message(one, "m1");
  world.add(one, carol);
  world.message(one, "m2");
  world.remove(one, carol);
  live->drain();
  const auto seen = live->jsons();
  auto cursor = [&](std::size_t at) {
    return "cursor=" + seen.at(at)["cursor"].get<std::string>();
  };
  for (std::size_t from = 0; from < seen.size(); ++from) {
    auto again = open(cursor(from));
    again->drain();
    const std::vector<Json> rest(seen.begin() + static_cast<std::ptrdiff_t>(from) + 1, seen.end());
    EXPECT_EQ(again->jsons(), rest) << "after event " << from;
  }
  EXPECT_GE(seen.size(), 7U) << "bob's own joining, carol's, three rows with the commit, her end";
}

TEST_F(FeedNotices, name_who_came_and_went) {
  auto client = open();
  client->drain();
  world.add(one, carol);
  world.remove(one, carol);
  world.add(two, bob);
  client->drain();
  client->events();
  EXPECT_EQ(client->news, (Texts{"membershipChanged " + carol, "membershipChanged " + carol,
                                 "membershipChanged " + bob}));
}

TEST_F(FeedNotices, tell_a_reader_of_its_own_end_and_nothing_after_it) {
  for (const bool live : {true, false}) {
    SCOPED_TRACE(live);
    auto client = live ? open() : open(cursor_at(0).substr(1));
    if (live) client->drain();
    world.remove(one, bob);
    world.add(one, carol);
    client->drain();
    client->events();
    ASSERT_FALSE(client->news.empty());
    EXPECT_EQ(client->news.back(), "membershipChanged " + bob);
    world.remove(one, carol);
    world.add(one, bob);
  }
}

TEST_F(FeedNotices, that_were_never_published_come_out_of_the_store) {
  auto client = open();
  client->drain();
  lose_the_next_answer();
  world.add(one, carol);
  client->drain();
  client->events();
  EXPECT_EQ(client->news, Texts{"membershipChanged " + carol});
}

TEST_F(FeedNotices, and_rows_are_merged_over_the_bounds_of_a_page) {
  for (int i = 0; i < 150; ++i) {
    world.message(one, "m" + std::to_string(i));
    world.add(one, carol);
    world.remove(one, carol);
  }
  auto client = open(cursor_at(0).substr(1));
  client->drain();
  std::uint64_t last = 0;
  std::size_t count = 0;
  for (const auto& json : client->jsons()) {
    const auto position = decode_cursor(json["cursor"].get<std::string>())->position;
    EXPECT_GT(position, last);
    last = position;
    ++count;
  }
  EXPECT_GE(count, 600U) << "150 messages, 150 commits, 300 notices";
}

TEST_F(FeedNotices, ephemeral_messages_reach_who_listens_and_leave_no_trace) {
  auto client = open();
  client->drain();
  world.message(one, "m1");
  whisper(one, "typing");
  whisper(two, "not for bob");
  world.message(one, "m2");
  client->drain();
  EXPECT_EQ(client->events(), (Texts{"m1", "typing", "m2"}));
  auto again = open(cursor_at(0).substr(1));
  again->drain();
  EXPECT_EQ(again->events(), (Texts{"m1", "m2"}));
}

TEST_F(FeedNotices, ephemeral_messages_reach_streams_of_a_shared_store_too) {
  world.services.live_is_complete = [] { return false; };
  auto client = open();
  client->drain();
  world.message(one, "m1");
  whisper(one, "typing");
  client->drain();
  auto seen = client->events();
  std::ranges::sort(seen);
  EXPECT_EQ(seen, (Texts{"m1", "typing"}));
}

}  // namespace
}  // namespace catbird::xrpc
