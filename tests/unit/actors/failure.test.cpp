// SPDX-License-Identifier: MIT
// What becomes of an activation whose write does not commit (design/engine.md, "Failure").
#include "actors/limits.hpp"
#include "core/limits.hpp"
#include "unit/actors/world.hpp"

#include <string>

namespace catbird::actors {
namespace {

using storage::CommitStatus;
using storage::Fault;

TEST(Failure, before_the_commit_answers_retry_to_everyone_at_or_behind_it) {
  World world;
  world.created({bob});
  world.disk.inject(Fault::fail_before);

  const auto first = world.ask(commit(alice, 0));
  const auto refused = world.ask(commit(bob, 0, "late"));
  const auto second = world.ask(message(bob, "m1", 1));
  world.settle();

  EXPECT_EQ(first->code(), Errc::retry);
  EXPECT_EQ(refused->code(), Errc::retry);  // epoch 1 never was
  EXPECT_EQ(second->code(), Errc::retry);
  EXPECT_EQ(first->error().retry_after_seconds, 1U);
  EXPECT_EQ(world.stored().epoch, core::Epoch(0));
}

TEST(Failure, throws_the_head_away) {
  World world;
  world.created({bob});
  world.disk.inject(Fault::fail_before);
  world.ask(commit(alice, 0));
  world.settle();
  world.wait(reload_delay_min);

  const auto again = world.ask(commit(alice, 0));
  world.settle();

  EXPECT_EQ(again->value().epoch, core::Epoch(1));
  EXPECT_EQ(again->value().seq, core::Seq(1));
}

TEST(Failure, with_an_unknown_outcome_finds_a_write_that_was_made_after_all) {
  World world;
  world.created({bob});
  world.disk.inject(Fault::unknown_committed);
  const auto first = world.ask(message(bob, "m1"));
  world.settle();
  EXPECT_EQ(first->code(), Errc::retry);
  EXPECT_EQ(world.sink.resyncs, 1);
  world.wait(reload_delay_min);

  const auto again = world.ask(message(bob, "m1"));
  const auto next = world.ask(message(bob, "m2"));
  world.settle();

  EXPECT_EQ(again->value().seq, core::Seq(1));
  EXPECT_EQ(next->value().seq, core::Seq(2));
}

TEST(Failure, with_an_unknown_outcome_does_not_invent_a_write) {
  World world;
  world.created({bob});
  world.disk.inject(Fault::unknown_lost);
  world.ask(message(bob, "m1"));
  world.settle();
  world.wait(reload_delay_min);

  EXPECT_EQ(world.done(message(alice, "m2")).seq, core::Seq(1));
  EXPECT_EQ(world.done(message(bob, "m1")).seq, core::Seq(2));
}

TEST(Failure, of_a_full_disk_does_not_make_reads_wait) {
  World world;
  world.created({bob});
  for (int i = 0; i < 5; ++i) {
    world.disk.inject(Fault::full);
    world.ask(message(bob, "m1"));
    world.settle();
  }

  const auto seen = world.look(bob);
  world.settle();

  EXPECT_TRUE(seen->ok());
}

TEST(Failure, of_a_full_disk_is_told_as_such) {
  World world;
  world.created({bob});
  world.disk.inject(Fault::full);

  const auto sent = world.ask(message(bob, "m1"));
  world.settle();

  EXPECT_EQ(sent->code(), Errc::storage_full);
}

TEST(Failure, keeps_the_mailbox_and_goes_on_after_a_pause_that_doubles) {
  World world;
  world.created({bob});
  world.disk.inject(Fault::fail_before);
  world.ask(message(bob, "m1"));
  world.settle();
  const auto waiting = world.ask(message(bob, "m2"));
  world.think();
  EXPECT_FALSE(waiting->yet());
  EXPECT_EQ(world.worker.next_timer(), reload_delay_min);

  world.wait(reload_delay_min);
  world.disk.inject(Fault::fail_before);
  world.settle();
  EXPECT_EQ(waiting->code(), Errc::retry);
  EXPECT_EQ(world.worker.next_timer(), 2 * reload_delay_min);

  world.wait(2 * reload_delay_min);
  EXPECT_EQ(world.done(message(bob, "m3")).seq, core::Seq(1));
}

TEST(Failure, pauses_never_exceed_their_limit) {
  World world;
  world.created({bob});
  for (int i = 0; i < 40; ++i) {
    world.disk.inject(Fault::fail_before);
    world.ask(message(bob, "m1"));
    world.settle();
    EXPECT_LE(world.worker.next_timer(), reload_delay_max);
    world.wait(world.worker.next_timer());
  }

  EXPECT_EQ(world.done(message(bob, "m1")).seq, core::Seq(1));
}

TEST(Failure, keeps_what_is_queued_in_the_lane_from_the_store) {
  World world;
  world.created({bob});
  world.store->next.push_back([&](auto sets, auto jobs, auto&) {
    // While this transaction runs, the actor decides on top of it.
    world.ask(message(bob, "m2"));
    world.think();
    return all_end(CommitStatus::unknown, Errc::retry)(sets, jobs, world.stores->writer());
  });
  world.ask(message(bob, "m1"));
  world.settle();

  EXPECT_EQ(world.store->batches.size(), 2U);  // the creation, and m1
  EXPECT_EQ(world.stored().last_seq, core::Seq(0));
}

TEST(Fenced, commands_are_decided_again_in_their_order_on_what_is_stored) {
  World world;
  world.created({bob});
  world.foreign_write(commit(alice, 0));

  const auto late = world.ask(commit(bob, 0, "late"));
  const auto marked = world.ask(mark_read(bob, 9));
  const auto m1 = world.ask(message(bob, "m1", 1));  // its sender knew already
  world.settle();

  EXPECT_EQ(late->code(), Errc::epoch_mismatch);
  EXPECT_EQ(late->error().clash->server_epoch, 1U);
  EXPECT_EQ(marked->value().seq, core::Seq(1));
  EXPECT_EQ(m1->value().seq, core::Seq(2));
}

TEST(Fenced, pipelined_messages_keep_their_order) {
  World world;
  world.created({bob});
  world.foreign_write(message(alice, "theirs"));

  std::vector<Answer> sent;
  for (int i = 0; i < 5; ++i) sent.push_back(world.ask(message(bob, "m" + std::to_string(i))));
  world.settle();

  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i]->value().seq, core::Seq(i + 2));
  }
}

TEST(Fenced, activation_does_not_hear_of_writes_of_the_one_before) {
  World world;
  world.created({bob});
  Answer second;
  world.store->next.push_back([&](auto sets, auto jobs, auto& real) {
    second = world.ask(message(bob, "m2"));
    world.think();  // queued in the lane behind the set that is being fenced
    return all_end(CommitStatus::fenced, Errc::retry)(sets, jobs, real);
  });
  const auto first = world.ask(message(bob, "m1"));
  world.think();
  EXPECT_TRUE(world.lane_thread.run_one());
  world.think();  // the next activation has decided both before the lane drops the old m2
  world.settle();

  EXPECT_EQ(first->value().seq, core::Seq(1));
  EXPECT_EQ(second->value().seq, core::Seq(2));
  EXPECT_EQ(world.metric("actor_restarts_total{actor_type=\"conversation_actor\","
                         "reason=\"fenced\"}"),
            1);
}

TEST(Fenced, activation_draws_a_later_fence_than_the_writer_that_took_over) {
  World world;
  world.created({bob});
  const auto ours = world.engine->fence.load();
  world.foreign_write(message(alice, "theirs"));

  world.done(message(bob, "m1"));

  EXPECT_GT(world.engine->fence.load(), ours + 1);
  EXPECT_EQ(world.store->fences_drawn, 1);
  EXPECT_EQ(world.reader->load(convo_id())->fence.value, world.engine->fence.load());
  EXPECT_EQ(world.metric("actor_restarts_total{actor_type=\"conversation_actor\","
                         "reason=\"fenced\"}"),
            1);
}

TEST(Fenced, activation_tries_again_when_it_gets_no_fence) {
  World world;
  world.created({bob});
  world.foreign_write(message(alice, "theirs"));
  world.store->fence_fails = true;

  const auto sent = world.ask(message(bob, "m1"));
  world.settle();
  EXPECT_FALSE(sent->yet());
  world.wait(reload_delay_min);
  world.settle();

  EXPECT_EQ(sent->value().seq, core::Seq(2));
}

TEST(Fenced, commands_answer_retry_when_no_head_ever_holds) {
  World world;
  world.created({bob});
  for (std::uint32_t i = 0; i <= letter_decisions_max; ++i) {
    world.store->next.push_back(all_end(CommitStatus::fenced, Errc::retry));
  }

  const auto sent = world.ask(message(bob, "m1"));
  world.settle();

  EXPECT_EQ(sent->code(), Errc::retry);
  EXPECT_EQ(world.done(message(bob, "m2")).seq, core::Seq(1));
}

TEST(Fenced, reads_that_waited_are_answered_from_what_is_stored) {
  World world;
  world.created({bob});
  world.foreign_write(take_out(alice, {bob}));

  world.ask(add(alice, {carol}));
  const auto seen = world.look(bob);
  world.settle();

  EXPECT_FALSE(seen->value().active);
}

// Fills the window and more: m0 is no longer in it.
void outgrow_the_window(World& world) {
  world.created({bob});
  for (std::size_t i = 0; i <= core::key_window_max; ++i) {
    world.ask(message(bob, "m" + std::to_string(i)));
    if (i % 50 == 0) world.settle();
  }
  world.settle();
}

TEST(Rejected, old_message_gets_its_first_answer_from_the_store) {
  World world;
  outgrow_the_window(world);

  const auto again = world.ask(message(bob, "m0"));
  const auto next = world.ask(message(bob, "next"));
  world.settle();

  EXPECT_EQ(again->value().seq, core::Seq(1));
  EXPECT_EQ(next->value().seq.value, core::key_window_max + 2);
}

TEST(Rejected, old_message_of_another_stays_hidden) {
  World world;
  outgrow_the_window(world);

  const auto theft = world.ask(message(alice, "m0"));
  world.settle();

  EXPECT_EQ(theft->code(), Errc::conflict);
}

TEST(Refusals, count_only_if_the_store_does_not_know_the_key) {
  World world;
  outgrow_the_window(world);
  world.done(commit(alice, 0));

  const auto stale = world.ask(message(bob, "m0"));  // of epoch 0, but long since answered
  const auto unknown = world.ask(message(bob, "never"));
  world.done(take_out(alice, {bob}));
  const auto gone = world.ask(message(bob, "m0"));
  world.settle();

  EXPECT_EQ(stale->value().seq, core::Seq(1));
  EXPECT_EQ(unknown->code(), Errc::epoch_mismatch);
  EXPECT_EQ(gone->value().seq, core::Seq(1));
}

TEST(Refusals, of_a_key_used_in_another_conversation_tell_a_stranger_nothing_but_its_own_answer) {
  World world;
  world.created({bob});
  const auto first = world.done(keyed(commit(alice, 0), "k", 1));

  const auto other = world.ask(core::ConvoId("00"), keyed(commit(alice, 0), "k", 2));
  const auto same = world.ask(core::ConvoId("00"), keyed(commit(alice, 0), "k", 1));
  world.settle();

  EXPECT_EQ(other->code(), Errc::not_member);
  EXPECT_EQ(same->value(), first);
}

TEST(Refusals, wait_for_a_store_that_answers) {
  World world;
  world.created({bob});
  bool down = false;
  world.disk.on_read([&] { return down; });
  down = true;

  const auto refused = world.ask(keyed(message(carol, "m1"), "k"));
  world.settle();

  // Its key window or its key could not be read: nothing definite may be said.
  world.wait(std::chrono::seconds(10));
  down = false;
  world.settle();
  ASSERT_TRUE(refused->yet());
  EXPECT_NE(refused->code(), Errc::conflict);
}

TEST(Rejected, command_that_breaks_three_activations_is_quarantined_and_the_rest_goes_on) {
  World world;
  world.created({bob});
  for (std::uint32_t i = 0; i < letter_attempts_max; ++i) {
    world.store->next.push_back(
        [](auto sets, auto, auto&) { return reject_first(sets, Errc::internal); });
  }

  const auto poison = world.ask(message(bob, "poison"));
  const auto behind = world.ask(message(bob, "m1"));
  world.settle();

  EXPECT_EQ(poison->code(), Errc::quarantined);
  EXPECT_EQ(behind->value().seq, core::Seq(1));
  EXPECT_EQ(world.metric("actor_message_drops_total{actor_type=\"conversation_actor\","
                         "reason=\"quarantined\"}"),
            1);
}

TEST(Rejected, command_is_not_blamed_for_what_others_broke) {
  World world;
  world.created({bob});
  for (std::uint32_t i = 0; i < letter_attempts_max + 1; ++i) {
    world.store->next.push_back(
        [](auto sets, auto, auto&) { return reject_first(sets, Errc::internal); });
  }

  const auto poison = world.ask(message(bob, "poison"));
  const auto bystander = world.ask(message(bob, "m1"));  // its own first rejection is the fourth
  world.settle();

  EXPECT_EQ(poison->code(), Errc::quarantined);
  ASSERT_TRUE(bystander->ok());
  EXPECT_EQ(bystander->value().seq, core::Seq(1));
}

TEST(Rejected, command_is_told_which_rule_it_broke) {
  World world;
  world.created({bob});
  auto parts = with_commit(0);
  parts.key_packages = {{bytes("gone"), true}};

  const auto added = world.ask(add(alice, {carol}, parts));
  const auto behind = world.ask(message(bob, "m1"));
  world.settle();

  EXPECT_EQ(added->code(), Errc::key_package_not_found);
  EXPECT_EQ(behind->value().seq, core::Seq(1));
  EXPECT_EQ(world.stored().epoch, core::Epoch(0));
}

}  // namespace
}  // namespace catbird::actors
