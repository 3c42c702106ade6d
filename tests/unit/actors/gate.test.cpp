// SPDX-License-Identifier: MIT
// Answers wait for what they depend on, and for nothing else (design/engine.md, "A turn").
#include "unit/actors/world.hpp"

namespace catbird::actors {
namespace {

TEST(Gate, gives_no_reply_before_its_write_is_durable) {
  World world;
  world.created({bob});

  const auto sent = world.ask(message(bob, "m1"));
  world.think();
  EXPECT_FALSE(sent->yet());
  world.settle();

  ASSERT_TRUE(sent->ok());
  EXPECT_EQ(sent->value().seq, core::Seq(1));
  EXPECT_EQ(world.stored().last_seq, core::Seq(1));
}

TEST(Gate, keeps_a_refusal_that_names_an_epoch_until_that_epoch_is_durable) {
  World world;
  world.created({bob});

  const auto won = world.ask(commit(alice, 0));
  const auto lost = world.ask(commit(bob, 0, "late"));
  world.think();
  EXPECT_FALSE(won->yet());
  EXPECT_FALSE(lost->yet());
  world.settle();

  EXPECT_EQ(won->value().epoch, core::Epoch(1));
  EXPECT_EQ(lost->code(), Errc::epoch_mismatch);
  EXPECT_EQ(lost->error().clash->server_epoch, 1U);
}

TEST(Gate, keeps_the_answer_to_a_retry_until_the_first_attempt_is_durable) {
  World world;
  world.created({bob});

  const auto first = world.ask(message(bob, "m1"));
  const auto again = world.ask(message(bob, "m1"));
  world.think();
  EXPECT_FALSE(again->yet());
  world.settle();

  EXPECT_EQ(again->value(), first->value());
  EXPECT_EQ(world.stored().last_seq, core::Seq(1));
}

TEST(Gate, answers_at_once_when_nothing_is_being_written) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));

  const auto again = world.ask(message(bob, "m1"));
  const auto stale = world.ask(commit(bob, 9));
  world.think();

  EXPECT_TRUE(again->ok());
  EXPECT_EQ(stale->code(), Errc::epoch_mismatch);
}

TEST(Gate, opens_in_the_order_of_the_decisions) {
  World world;
  world.created({bob});

  std::vector<Answer> asked;
  asked.push_back(world.ask(message(bob, "m1")));
  asked.push_back(world.ask(commit(alice, 0)));
  asked.push_back(world.ask(commit(bob, 0, "late")));
  asked.push_back(world.ask(message(bob, "m1")));
  asked.push_back(world.ask(message(alice, "m2", 1)));
  world.answered.clear();
  world.settle();

  EXPECT_EQ(world.answered, asked);
}

TEST(Gate, decides_the_next_command_while_the_last_is_being_written) {
  World world;
  world.created({bob});
  world.ask(commit(alice, 0));
  world.think();
  world.lane_thread.run_one();  // durable; the actor does not know it yet

  const auto next = world.ask(message(bob, "m1", 1));
  world.settle();

  EXPECT_EQ(next->value().seq, core::Seq(2));
  EXPECT_EQ(next->value().epoch, core::Epoch(1));
}

TEST(Reads, are_answered_at_once_from_what_is_durable_while_a_write_is_open) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));

  const auto sent = world.ask(commit(alice, 0));
  const auto seen = world.look(bob);
  world.think();

  EXPECT_FALSE(sent->yet());
  ASSERT_TRUE(seen->ok());
  EXPECT_EQ(seen->value().epoch, core::Epoch(0));
  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
  EXPECT_EQ(seen->value().until, core::Seq(1));
  world.settle();
}

TEST(Reads, show_the_writes_that_are_durable_and_none_behind_them) {
  World world;
  world.created({bob});
  world.store->next.push_back([&](auto sets, auto jobs, auto& real) {
    world.ask(commit(alice, 0));
    world.think();
    return real.commit(sets, jobs);
  });
  world.ask(message(bob, "m1"));
  world.think();
  EXPECT_TRUE(world.lane_thread.run_one());
  world.think();

  const auto seen = world.look(bob);
  world.think();

  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
  EXPECT_EQ(seen->value().epoch, core::Epoch(0));
  world.settle();
}

// getMessages leaves out moving a mark that is there already; one that is lost would be no mark.
TEST(Reads, never_show_a_read_mark_that_is_not_stored) {
  World world;
  world.created({bob});
  world.done(message(alice, "m1"));

  const auto marked = world.ask(mark_read(bob, 1));
  world.think();
  const auto early = world.look(bob);
  world.think();
  EXPECT_FALSE(marked->yet());
  EXPECT_EQ(early->value().read_seq, core::Seq(0));
  world.settle();

  const auto after = world.look(bob);
  world.settle();
  EXPECT_EQ(after->value().read_seq, core::Seq(1));
}

TEST(Reads, include_every_write_that_was_acknowledged) {
  World world;
  world.created({bob});
  world.done(commit(alice, 0));

  const auto seen = world.look(bob);
  world.think();

  EXPECT_EQ(seen->value().epoch, core::Epoch(1));
  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
}

TEST(Reads, wait_behind_an_open_roster_change) {
  World world;
  world.created({bob});

  world.ask(take_out(alice, {bob}, with_commit(0)));
  const auto gone = world.look(bob);
  const auto here = world.look(alice);
  world.think();
  EXPECT_FALSE(gone->yet());
  EXPECT_FALSE(here->yet());
  world.settle();

  EXPECT_FALSE(gone->value().active);
  EXPECT_EQ(gone->value().until, core::Seq(1));
  EXPECT_TRUE(here->value().active);
  EXPECT_EQ(here->value().epoch, core::Epoch(1));
}

TEST(Reads, of_a_stranger_wait_behind_the_addition_that_makes_it_a_member) {
  World world;
  world.created({bob});

  world.ask(add(alice, {carol}));
  const auto seen = world.look(carol);
  world.think();
  EXPECT_FALSE(seen->yet());
  world.settle();

  EXPECT_TRUE(seen->ok());
}

TEST(Reads, are_not_held_up_by_roster_changes_that_come_after_them) {
  World world;
  world.created({bob});
  Seen seen;
  world.store->next.push_back([&](auto sets, auto jobs, auto& real) {
    // While carol is being stored: a read, and another change of the roster behind it.
    seen = world.look(carol);
    world.ask(take_out(alice, {carol}));
    world.think();
    return real.commit(sets, jobs);
  });
  world.ask(add(alice, {carol}));
  world.think();
  EXPECT_TRUE(world.lane_thread.run_one());
  world.think();

  ASSERT_TRUE(seen->yet());
  EXPECT_TRUE(seen->value().active);
  world.settle();
}

TEST(Sink, hears_of_a_row_before_its_sender_does) {
  World world;
  world.created({bob});
  world.sink.published.clear();

  const auto sent = world.ask(message(bob, "m1"));
  world.think();
  EXPECT_TRUE(world.sink.published.empty());
  world.lane_thread.run_one();

  EXPECT_FALSE(sent->yet());
  ASSERT_EQ(world.sink.published.size(), 1U);
  EXPECT_EQ(std::get<realtime::LiveRow>(world.sink.published[0]).id, core::MsgId("m1"));
  world.settle();
}

TEST(Sink, hears_the_commit_before_the_roster_change_it_made) {
  World world;
  world.created({bob});
  world.sink.published.clear();

  world.done(take_out(alice, {bob}, with_commit(0)));

  ASSERT_EQ(world.sink.published.size(), 2U);
  EXPECT_EQ(std::get<realtime::LiveRow>(world.sink.published[0]).seq, core::Seq(1));
  const auto& change = std::get<realtime::RosterChange>(world.sink.published[1]);
  EXPECT_FALSE(change.joined);
  EXPECT_EQ(change.user, bob);
  EXPECT_EQ(change.seq, core::Seq(1));
}

}  // namespace
}  // namespace catbird::actors
