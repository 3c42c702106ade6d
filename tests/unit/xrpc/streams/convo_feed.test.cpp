// SPDX-License-Identifier: MIT
#include "xrpc/streams/convo_feed.hpp"

#include "unit/xrpc/streams/feed_world.hpp"

#include <chrono>

namespace catbird::xrpc {
namespace {

using std::chrono::milliseconds;

class SmallQueue : public ConvoFeedTest {
 protected:
  SmallQueue() : ConvoFeedTest({.queue_events_max = 3}) {}
};

TEST_F(ConvoFeedTest, starts_from_now_without_a_cursor) {
  world.message(one, "m1");
  auto client = open();
  client->drain();
  EXPECT_EQ(client->text, ": connected\n\n");

  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"m2"});
}

TEST_F(ConvoFeedTest, gives_each_row_all_the_lexicon_says) {
  auto client = open();
  client->drain();
  world.message(one, "m1");
  client->drain();

  const auto json = client->jsons().at(0);

  EXPECT_EQ(json["$type"], "blue.catbird.mls.streamConvoEvents#messageEvent");
  EXPECT_EQ(json["type"], "messageEvent");
  EXPECT_EQ(json["cursor"], cursor_at(2).substr(8));  // behind the notice that bob is in
  EXPECT_EQ(json["message"]["convoId"], one);
  EXPECT_EQ(json["message"]["seq"], 1);
  EXPECT_EQ(json["message"]["ciphertext"]["$bytes"], "AQID");
}

TEST_F(ConvoFeedTest, replays_after_the_cursor_and_goes_on_live_without_gap_or_duplicate) {
  for (const auto* id : {"m1", "m2", "m3"}) world.message(one, id);
  auto client = open_one(cursor_at(2));
  client->drain();
  world.message(one, "m4");
  world.add(one, carol);
  client->drain();
  world.message(one, "m5");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m2", "m3", "m4", "commit", "m5"}));
  EXPECT_EQ(decode_cursor(client->last_cursor)->position, 8U);  // two notices, six rows
}

TEST_F(ConvoFeedTest, replays_more_than_one_page) {
  Texts sent;
  for (int i = 0; i < 450; ++i) {
    sent.push_back("m" + std::to_string(i));
    world.message(one, sent.back());
  }
  auto client = open(cursor_at(0).substr(1));

  client->drain();

  EXPECT_EQ(client->events(), sent);
}

TEST_F(ConvoFeedTest, loses_nothing_published_between_subscribing_and_replaying) {
  for (const bool user_wide : {false, true}) {
    auto client = user_wide ? open(cursor_at(0).substr(1)) : open_one(cursor_at(0));
    client->events();
    world.readers.held = true;
    client->pull();
    world.message(one, user_wide ? "m3" : "m1");
    world.readers.release();  // where the log ends now
    world.run();
    client->pull();
    world.message(one, user_wide ? "m4" : "m2");
    world.readers.held = false;
    world.readers.release();
    client->drain();

    EXPECT_EQ(client->events(), user_wide ? (Texts{"m1", "m2", "m3", "m4"}) : (Texts{"m1", "m2"}));
  }
}

TEST_F(ConvoFeedTest, shows_only_the_conversation_it_was_opened_for) {
  world.add(two, bob);
  auto client = open_one();
  client->drain();
  world.message(two, "x1");
  world.message(one, "m1");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"m1"});
}

TEST_F(SmallQueue, tells_a_slow_reader_and_cuts_it) {
  auto client = open_one();
  client->drain();
  for (const auto* id : {"m1", "m2", "m3", "m4", "m5"}) world.message(one, id);
  client->drain();

  EXPECT_EQ(client->events(), Texts{"!slow-consumer"});
  EXPECT_TRUE(client->ended);
}

TEST_F(SmallQueue, lets_the_slow_reader_go_on_from_where_it_was) {
  auto client = open_one();
  client->drain();
  world.message(one, "m1");
  client->drain();
  for (const auto* id : {"m2", "m3", "m4", "m5"}) world.message(one, id);
  client->drain();
  EXPECT_EQ(client->events(), (Texts{"m1", "!slow-consumer"}));

  auto again = open_one("&cursor=" + client->last_cursor);
  again->drain();

  EXPECT_EQ(again->events(), (Texts{"m2", "m3", "m4", "m5"}));
}

// Where rows of other servers interleave, the store is read and the hub only gives the hint.
TEST_F(SmallQueue, cuts_a_slow_reader_of_a_shared_store_as_well) {
  world.services.live_is_complete = [] { return false; };
  auto client = open_one();
  client->drain();
  world.message(one, "m1");
  world.run();
  for (const auto* id : {"m2", "m3", "m4", "m5", "m6"}) world.message(one, id);
  client->drain();
  EXPECT_EQ(client->events(), (Texts{"m1", "!slow-consumer"}));
  EXPECT_TRUE(client->ended);

  auto again = open_one("&cursor=" + client->last_cursor);
  again->drain();

  EXPECT_EQ(again->events(), (Texts{"m2", "m3", "m4", "m5", "m6"}));
}

TEST_F(ConvoFeedTest, says_first_when_a_cursor_is_of_another_log) {
  world.message(one, "m1");
  auto client = open("cursor=" + encode_cursor({"other", 0}));
  client->drain();
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"!outdated-cursor", "m2"}));
}

TEST_F(ConvoFeedTest, says_first_when_a_cursor_is_from_the_future) {
  world.message(one, "m1");
  auto client = open(cursor_at(99).substr(1));
  client->drain();
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"!future-cursor", "m2"}));
}

TEST_F(ConvoFeedTest, refuses_what_is_no_cursor_and_who_is_no_member) {
  EXPECT_EQ(error_of(world.get("streamConvoEvents", "cursor=x", bob)), "InvalidCursor");
  EXPECT_EQ(error_of(world.get("streamConvoEvents", "convoId=" + two, bob)), "NotMember");
  world.remove(one, bob);
  EXPECT_EQ(error_of(world.get("streamConvoEvents", "convoId=" + one, bob)), "NotMember");
  EXPECT_EQ(world.hub.subscriptions(), 0U);
}

TEST_F(ConvoFeedTest, has_a_bound_on_the_streams_of_a_user) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(open());

  EXPECT_EQ(world.get("streamConvoEvents", "", bob).status, 429);
  clients.pop_back();
  EXPECT_EQ(world.get("streamConvoEvents", "", bob).status, 200);
}

TEST_F(ConvoFeedTest, says_something_when_nothing_happens) {
  auto client = open();
  client->drain();
  client->text.clear();
  world.loop.advance(world.services.settings.stream_keepalive - milliseconds(1));
  EXPECT_EQ(client->text, "");

  world.loop.advance(milliseconds(1));

  EXPECT_EQ(client->text, ": keepalive\n\n");
  client->drain();
  world.loop.advance(world.services.settings.stream_keepalive);
  EXPECT_EQ(client->text, ": keepalive\n\n: keepalive\n\n");
}

TEST_F(ConvoFeedTest, is_silent_for_no_longer_than_two_keepalive_intervals) {
  auto client = open();
  client->drain();
  world.loop.advance(world.services.settings.stream_keepalive - milliseconds(1));
  world.message(one, "m1");
  client->drain();
  client->text.clear();

  world.loop.advance(2 * world.services.settings.stream_keepalive);

  EXPECT_EQ(client->text, ": keepalive\n\n");
}

TEST_F(ConvoFeedTest, has_one_timer_however_much_happens) {
  auto client = open();
  client->drain();
  for (int i = 0; i < 50; ++i) {
    world.message(one, "m" + std::to_string(i));
    client->drain();
  }

  EXPECT_EQ(world.loop.timers(), 1U);
}

TEST_F(ConvoFeedTest, ends_when_the_store_cannot_be_read) {
  auto client = open(cursor_at(0).substr(1));
  world.disk.on_read([] { return true; });
  client->drain();
  EXPECT_TRUE(client->ended);

  world.disk.on_read({});
  auto later = open_one(cursor_at(0));
  later->pull();
  world.disk.on_read([] { return true; });
  later->drain();
  EXPECT_TRUE(later->ended);
}

TEST_F(ConvoFeedTest, answers_nothing_after_it_was_cancelled_at_any_step) {
  for (int steps = 0; steps < 6; ++steps) {
    world.readers.held = false;
    auto client = open_one(cursor_at(0));
    world.readers.held = true;
    for (int step = 0; step < steps; ++step) {
      client->pull();
      if (step % 2 == 1) world.message(one, "m" + std::to_string(100 * steps + step));
      world.run();
      if (step != steps - 1) world.readers.release();
    }
    const auto chunks = client->chunks;

    client->cancel();
    world.readers.release();
    world.run();
    world.message(one, "last" + std::to_string(steps));
    world.hub.resync();
    world.run();
    world.readers.release();
    world.loop.advance(world.services.settings.stream_keepalive);

    EXPECT_EQ(client->chunks, chunks) << steps;
    EXPECT_EQ(world.hub.subscriptions(), 0U) << steps;
  }
}

}  // namespace
}  // namespace catbird::xrpc
