// SPDX-License-Identifier: MIT
// Answers wait for what they depend on, and for nothing else (design/engine.md, "A turn").
#include "actors/limits.hpp"
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

TEST(Reads, are_answered_at_once_when_nothing_is_being_written) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));

  const auto seen = world.look(bob);
  drain({&world.worker});

  ASSERT_TRUE(seen->ok());
  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
  EXPECT_EQ(seen->value().until, core::Seq(1));
}

// A list of conversations, which comes out of the store, may show a commit before its actor hears
// that it is stored: a read that is asked for afterwards must not show less (O5, L6).
TEST(Reads, never_show_less_than_the_store_does_already) {
  World world;
  world.created({bob});

  const auto sent = world.ask(commit(alice, 0));
  world.think();
  EXPECT_TRUE(world.lane_thread.run_one());  // stored, and nobody was told
  ASSERT_EQ(world.stored().epoch, core::Epoch(1));
  const auto seen = world.look(bob);
  world.settle();

  EXPECT_TRUE(sent->ok());
  EXPECT_EQ(seen->value().epoch, core::Epoch(1));
  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
}

TEST(Reads, wait_for_the_writes_before_them_and_for_none_behind) {
  World world;
  world.created({bob});
  Seen seen;
  world.store->next.push_back([&](auto sets, auto jobs, auto& real) {
    seen = world.look(bob);
    world.ask(commit(alice, 0));
    world.think();
    return real.commit(sets, jobs);
  });
  world.ask(message(bob, "m1"));
  world.think();
  EXPECT_TRUE(world.lane_thread.run_one());
  EXPECT_FALSE(seen->yet());
  world.think();

  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
  EXPECT_EQ(seen->value().epoch, core::Epoch(0));
  world.settle();
}

TEST(Reads, are_answered_after_a_reload_when_the_write_before_them_fails) {
  World world;
  world.created({bob});
  world.disk.inject(storage::Fault::unknown_committed);

  const auto sent = world.ask(message(bob, "m1"));
  const auto seen = world.look(bob);
  world.settle();
  world.wait(reload_delay_max);
  world.settle();

  EXPECT_EQ(sent->code(), Errc::retry);
  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
}

TEST(Reads, that_wait_do_not_fill_the_mailbox_and_are_bounded_themselves) {
  World world;
  world.created({bob});
  world.ask(message(bob, "m1"));
  world.think();
  std::vector<Seen> looks;
  for (std::size_t i = 0; i < reads_waiting_max; ++i) {
    looks.push_back(world.look(bob));
    if (i % 100 == 0) world.think();
  }
  world.think();

  const auto extra = world.look(bob);
  const auto sent = world.ask(message(bob, "m2"));
  world.settle();

  EXPECT_EQ(extra->code(), Errc::overloaded);
  EXPECT_TRUE(sent->ok());
  for (const auto& one : looks) EXPECT_TRUE(one->ok());
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

TEST(Sink, hears_the_commit_and_the_notice_before_the_roster_change) {
  World world;
  world.created({bob});
  world.sink.published.clear();

  world.done(take_out(alice, {bob}, with_commit(0)));

  ASSERT_EQ(world.sink.published.size(), 3U);
  const auto& row = std::get<realtime::LiveRow>(world.sink.published[0]);
  EXPECT_EQ(row.seq, core::Seq(1));
  const auto& notice = std::get<realtime::LiveNotice>(world.sink.published[1]);
  EXPECT_EQ(notice.position, row.position + 1);
  EXPECT_EQ(notice.noted.kind, core::NoticeKind::removed);
  EXPECT_EQ(notice.noted.user, bob);
  const auto& change = std::get<realtime::RosterChange>(world.sink.published[2]);
  EXPECT_FALSE(change.joined);
  EXPECT_EQ(change.user, bob);
  EXPECT_EQ(change.seq, core::Seq(1));
}

}  // namespace
}  // namespace catbird::actors
