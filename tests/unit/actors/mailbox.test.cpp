// SPDX-License-Identifier: MIT
// Mailboxes are bounded, deadlines count at dequeue, turns are fair.
#include "actors/limits.hpp"
#include "core/limits.hpp"
#include "unit/actors/world.hpp"

#include <algorithm>
#include <string>

namespace catbird::actors {
namespace {

TEST(Mailbox, refuses_the_letter_that_does_not_fit_and_keeps_the_others) {
  World world;
  world.created({bob});
  std::vector<Answer> sent;
  for (std::size_t i = 0; i <= mailbox_letters_max; ++i) {
    sent.push_back(world.ask(message(bob, "m" + std::to_string(i))));
  }

  world.settle();

  EXPECT_EQ(sent.back()->code(), Errc::overloaded);
  sent.pop_back();
  for (const auto& one : sent) EXPECT_TRUE(one->ok());
  EXPECT_EQ(world.metric("actor_mailbox_full_events_total"), 1);
}

TEST(Mailbox, counts_what_waits_behind_the_gate) {
  World world;
  world.created({bob});
  std::vector<Answer> sent;
  for (std::size_t i = 0; i < mailbox_letters_max; ++i) {
    sent.push_back(world.ask(message(bob, "m" + std::to_string(i))));
    world.think();  // decided; all of them wait for the disk
  }

  const auto extra = world.ask(message(bob, "extra"));
  world.think();

  EXPECT_EQ(extra->code(), Errc::overloaded);
  world.settle();
  for (const auto& one : sent) EXPECT_TRUE(one->ok());
}

TEST(Mailbox, counts_refusals_that_wait_for_the_store) {
  World world;
  world.created({bob});
  std::vector<Answer> refused;
  for (std::size_t i = 0; i < mailbox_letters_max; ++i) {
    refused.push_back(world.ask(keyed(commit(bob, 7), "k" + std::to_string(i))));
    drain({&world.worker});
    if (i == 0) world.think();  // the key window
  }
  const auto waiting = std::ranges::count_if(refused, [](const auto& one) { return !one->yet(); });
  ASSERT_EQ(waiting + 1, static_cast<std::ptrdiff_t>(mailbox_letters_max));
  world.ask(keyed(commit(bob, 7), "fits"));

  const auto extra = world.ask(keyed(commit(bob, 7), "extra"));
  drain({&world.worker});

  ASSERT_TRUE(extra->yet());
  EXPECT_EQ(extra->code(), Errc::overloaded);
  world.settle();
  for (const auto& one : refused) EXPECT_EQ(one->code(), Errc::epoch_mismatch);
}

TEST(Mailbox, is_bounded_in_bytes_but_takes_one_large_letter) {
  World world;
  world.created({bob});
  const auto large = make_blob(Bytes(core::blob_bytes_max, 7));
  const auto send = [&](const char* id) {
    auto one = message(bob, id);
    std::get<core::SendMessage>(one.what).bytes = large;
    return world.ask(std::move(one));
  };

  const auto first = send("m1");
  const auto second = send("m2");
  world.settle();

  EXPECT_TRUE(first->ok());
  EXPECT_EQ(second->code(), Errc::overloaded);
  EXPECT_TRUE(world.ask(message(bob, "m3")));
  EXPECT_EQ(world.engine->mailbox_bytes.load(), 0U);
}

TEST(Mailbox, bytes_are_bounded_over_all_conversations) {
  World world;
  world.created({bob});
  world.engine->mailbox_bytes = mailboxes_bytes_max;

  const auto sent = world.ask(message(bob, "m1"));
  world.settle();
  EXPECT_EQ(sent->code(), Errc::overloaded);

  world.engine->mailbox_bytes = 0;
  world.done(message(bob, "m1"));
}

TEST(Mailbox, gives_back_what_it_counted_whatever_became_of_the_letters) {
  World world;
  world.created({bob});
  world.disk.inject(storage::Fault::fail_before);
  world.ask(message(bob, "m1"));
  world.ask(keyed(commit(bob, 9), "k"));
  world.ask(convo_id(), message(bob, "m2"), std::chrono::milliseconds(0));
  world.settle();
  world.wait(reload_delay_min);
  world.foreign_write(message(alice, "theirs"));
  world.ask(message(bob, "m3"));
  world.look(bob);
  world.settle();

  EXPECT_EQ(world.engine->letters.load(), 0U);
  EXPECT_EQ(world.engine->mailbox_bytes.load(), 0U);
}

TEST(Deadline, drops_a_letter_that_was_not_started_in_time_and_nothing_of_it_happens) {
  World world;
  world.created({bob});
  const auto late = world.ask(convo_id(), message(bob, "m1"), std::chrono::milliseconds(5));
  const auto patient = world.ask(message(bob, "m2"));
  world.wait(std::chrono::milliseconds(5));
  world.settle();

  EXPECT_EQ(late->code(), Errc::deadline);
  EXPECT_EQ(patient->value().seq, core::Seq(1));
  EXPECT_EQ(world.metric("actor_message_drops_total{actor_type=\"conversation_actor\","
                         "reason=\"deadline\"}"),
            1);
}

TEST(Deadline, never_drops_what_is_already_decided) {
  World world;
  world.created({bob});
  const auto sent = world.ask(convo_id(), message(bob, "m1"), std::chrono::milliseconds(5));
  world.think();
  world.wait(std::chrono::seconds(1));
  world.settle();

  EXPECT_EQ(sent->value().seq, core::Seq(1));
}

TEST(Turns, end_after_so_many_letters_so_that_another_conversation_gets_its_turn) {
  World world;
  world.created({bob});
  const core::ConvoId other("00");
  std::vector<Answer> busy;
  for (std::size_t i = 0; i < 3 * turn_letters_max; ++i) {
    busy.push_back(world.ask(message(bob, "m" + std::to_string(i))));
  }
  const auto quiet = world.ask(other, message(bob, "m"));
  std::size_t decided_before = 0;
  while (!quiet->yet()) {
    ASSERT_TRUE(world.worker.run_one() || world.reads.run_one());
    if (!quiet->yet()) continue;
    decided_before = world.engine->letters.load();
  }

  // The quiet one did not wait for the whole queue of the busy one.
  EXPECT_EQ(decided_before, busy.size());
  EXPECT_LT(busy.size() - world.worker.ready(), busy.size());
  world.settle();
  for (const auto& one : busy) EXPECT_TRUE(one->ok());
}

TEST(Turns, decide_at_most_so_many_letters_each) {
  World world;
  world.created({bob});
  world.done(message(bob, "warm"));
  for (std::size_t i = 0; i < 2 * turn_letters_max; ++i) {
    world.ask(message(bob, "m" + std::to_string(i)));
  }
  for (std::size_t i = 0; i < 2 * turn_letters_max; ++i) world.worker.run_one();  // deliveries

  world.store->batches.clear();
  ASSERT_TRUE(world.worker.run_one());  // one turn
  world.lane_thread.run_one();

  ASSERT_EQ(world.store->batches.size(), 1U);
  EXPECT_EQ(world.store->batches[0].size(), turn_letters_max);
  world.settle();
}

}  // namespace
}  // namespace catbird::actors
