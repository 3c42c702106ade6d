// SPDX-License-Identifier: MIT
// Who may see what while memberships change, and while their changes are not published.
#include "unit/xrpc/streams/feed_world.hpp"

namespace catbird::xrpc {
namespace {

TEST_F(ConvoFeedTest, keeps_commit_order_when_the_user_joins_during_the_replay) {
  world.message(one, "m1");
  auto client = open(cursor_at(0).substr(1));
  world.readers.held = true;
  client->pull();
  world.readers.release();
  world.run();
  client->pull();  // the replay waits for its reader
  world.add(two, bob);
  world.message(two, "x1");
  world.message(one, "m2");
  world.readers.held = false;
  world.readers.release();

  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m1", "x1", "m2"}));
}

TEST_F(ConvoFeedTest, brings_in_conversations_the_user_joins_without_what_was_before) {
  world.message(two, "x0");
  auto client = open(cursor_at(0).substr(1));
  client->drain();
  world.message(two, "x1");
  world.add(two, bob);
  world.message(two, "x2");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"x2"});
}

TEST_F(ConvoFeedTest, shows_nothing_from_before_the_join_in_a_replay) {
  world.message(two, "x0");
  world.add(two, bob);
  world.message(two, "x1");

  auto client = open(cursor_at(0).substr(1));
  client->drain();

  EXPECT_EQ(client->events(), Texts{"x1"});
}

TEST_F(ConvoFeedTest, ends_with_the_row_that_removes_the_reader) {
  auto client = open_one();
  client->drain();
  world.message(one, "m1");
  world.remove(one, bob);
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m1", "commit", "!removed"}));
  EXPECT_TRUE(client->ended);
}

TEST_F(ConvoFeedTest, goes_on_without_a_conversation_the_user_left) {
  world.add(two, bob);
  auto client = open();
  client->drain();
  world.remove(one, bob);
  world.message(one, "m1");
  world.message(two, "x1");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"commit", "x1"}));
  EXPECT_FALSE(client->ended);
}

TEST_F(ConvoFeedTest, cuts_a_replay_where_the_membership_ended) {
  auto client = open_one(cursor_at(0));
  world.message(one, "m1");
  world.remove(one, bob);
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m1", "commit", "!removed"}));
  EXPECT_TRUE(client->ended);
}

// Found by the simulator (seed 571): what the stream knows is a membership before the last.
TEST_F(ConvoFeedTest, shows_nothing_from_between_two_memberships_that_are_over) {
  for (const std::string name : {"w", "m"}) {
    SCOPED_TRACE(name);
    auto client = name == "w" ? open(cursor_at(0).substr(1)) : open_one(cursor_at(0));
    world.remove(one, bob);
    world.message(one, name + " not for bob");
    world.add(one, bob);
    world.message(one, name + " for bob");
    world.remove(one, bob);
    client->drain();

    const auto seen = client->events();
    EXPECT_EQ(std::ranges::count(seen, name + " not for bob"), 0);
    EXPECT_EQ(std::ranges::count(seen, name + " for bob"), 1);
    world.add(one, bob);
  }
}

TEST_F(ConvoFeedTest, follows_a_user_who_comes_back) {
  auto client = open();
  client->drain();
  world.remove(one, bob);
  world.message(one, "m1");
  world.add(one, bob);
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"commit", "m2"}));
}

TEST_F(ConvoFeedTest, reads_the_store_again_when_an_answer_was_lost) {
  auto client = open_one();
  client->drain();
  lose_the_next_answer();
  world.message(one, "m1");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"m1"});
}

TEST_F(ConvoFeedTest, keeps_the_order_of_rows_that_were_published_and_not) {
  for (const bool user_wide : {false, true}) {
    auto client = user_wide ? open() : open_one();
    client->drain();
    const std::string name = user_wide ? "w" : "m";
    world.message(one, name + "1");
    lose_the_next_answer();
    world.message(one, name + "2");
    world.message(one, name + "3");
    client->drain();
    world.message(one, name + "4");
    client->drain();

    EXPECT_EQ(client->events(), (Texts{name + "1", name + "2", name + "3", name + "4"}));
  }
}

TEST_F(ConvoFeedTest, shows_nothing_after_a_removal_whose_answer_was_lost) {
  world.add(two, bob);
  auto narrow = open_one();
  auto wide = open();
  narrow->drain();
  wide->drain();
  lose_the_next_answer();
  world.remove(one, bob);
  world.message(one, "m1");
  narrow->drain();
  wide->drain();
  world.message(one, "m2");
  world.message(two, "x1");
  narrow->drain();
  wide->drain();

  EXPECT_EQ(narrow->events(), (Texts{"commit", "!removed"}));
  EXPECT_TRUE(narrow->ended);
  EXPECT_EQ(wide->events(), (Texts{"commit", "x1"}));
}

TEST_F(ConvoFeedTest, brings_in_a_conversation_whose_join_was_never_published) {
  auto client = open();
  client->drain();
  lose_the_next_answer();
  world.add(two, bob);
  world.message(two, "x1");
  client->drain();
  world.message(two, "x2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"x1", "x2"}));
}

}  // namespace
}  // namespace catbird::xrpc
