// SPDX-License-Identifier: MIT
// What leaves memory, when, and that nothing is lost by it.
#include "actors/limits.hpp"
#include "core/limits.hpp"
#include "unit/actors/world.hpp"

#include <algorithm>
#include <string>

namespace catbird::actors {
namespace {

constexpr auto stops_idle = "actor_stops_total{actor_type=\"conversation_actor\",reason=\"idle\"}";
constexpr auto stops_memory =
    "actor_stops_total{actor_type=\"conversation_actor\",reason=\"memory\"}";
constexpr auto stops_absent =
    "actor_stops_total{actor_type=\"conversation_actor\",reason=\"absent\"}";
constexpr auto mismatches = "actor_audit_mismatches_total";

core::ConvoId convo_number(std::size_t number) { return core::ConvoId(std::to_string(number)); }

/// Conversations 0 … count-1, created and last used in this order.
void create_many(World& world, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    auto one = create({bob});
    std::get<core::CreateConvo>(one.what).group_id = bytes(std::to_string(i));
    world.ask(convo_number(i), std::move(one));
    world.settle();
    world.wait(std::chrono::milliseconds(10));
  }
}

TEST(Absent, conversations_leave_no_actor) {
  World world;
  const auto seen = world.look(alice);
  const auto sent = world.ask(message(alice, "m1"));
  const auto key = world.ask(keyed(commit(alice, 0), "k"));
  const auto late = world.ask(convo_id(), message(alice, "m2"), std::chrono::milliseconds(0));
  world.settle();

  EXPECT_EQ(seen->code(), Errc::not_member);
  EXPECT_EQ(sent->code(), Errc::not_member);
  EXPECT_EQ(key->code(), Errc::not_member);
  EXPECT_EQ(late->code(), Errc::deadline);
  EXPECT_EQ(world.gateway->active_actors(), 0U);
  EXPECT_EQ(world.metric(stops_absent), world.metric("actor_spawns_total{"
                                                     "actor_type=\"conversation_actor\"}"));
}

TEST(Absent, conversation_whose_creation_was_rejected_leaves_no_actor) {
  World world;
  world.store->next.push_back(
      [](auto sets, auto, auto&) { return reject_first(sets, Errc::key_package_not_found); });

  const auto made = world.ask(create({bob}));
  world.settle();

  EXPECT_EQ(made->code(), Errc::key_package_not_found);
  EXPECT_EQ(world.gateway->active_actors(), 0U);
}

TEST(Absent, conversation_that_is_created_right_after_is_not_lost) {
  World world;
  world.look(alice);
  world.think();
  const auto made = world.ask(create({bob}));
  world.settle();

  EXPECT_TRUE(made->ok());
  EXPECT_EQ(world.gateway->active_actors(), 1U);
  EXPECT_EQ(world.done(message(bob, "m1")).seq, core::Seq(1));
}

TEST(Passivation, of_many_gives_free_memory_back_once) {
  World world;
  int given = 0;
  world.engine->give_memory_back = [&given] { ++given; };
  for (std::size_t i = 0; i < actors_per_trim; ++i) {
    const core::ConvoId convo("c" + std::to_string(i));
    world.ask(convo, create({bob}));
  }
  world.settle();
  world.wait(world.engine->idle_timeout);
  world.sweep();
  EXPECT_EQ(given, 0);  // nobody had left when it began

  world.sweep();
  EXPECT_EQ(given, 1);
  world.sweep();
  EXPECT_EQ(given, 1);
}

TEST(KeyWindow, is_dropped_when_idle_and_read_again_for_the_next_keyed_command) {
  World world;
  world.created({bob});
  const auto sent = world.done(message(bob, "m1"));
  const auto keyed_commit = world.done(keyed(commit(alice, 0), "k"));
  world.wait(key_window_idle);
  world.sweep();
  int reads = 0;
  world.disk.on_read([&] { return ++reads, false; });

  EXPECT_EQ(world.done(message(bob, "m1")), sent);
  EXPECT_EQ(world.done(keyed(commit(alice, 0), "k")), keyed_commit);
  EXPECT_EQ(reads, 1);
  EXPECT_EQ(world.done(message(bob, "m2", 1)).seq, core::Seq(3));
}

TEST(KeyWindow, is_not_read_for_commands_without_a_key) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));
  world.wait(key_window_idle);
  world.sweep();
  int reads = 0;
  world.disk.on_read([&] { return ++reads, false; });

  world.done(mark_read(alice, 1));
  world.done(commit(alice, 0));

  EXPECT_EQ(reads, 0);
}

TEST(KeyWindow, read_again_is_newest_first_and_knows_that_it_is_not_all) {
  World world;
  world.created({bob});
  for (std::size_t i = 0; i <= core::key_window_max; ++i) {
    world.ask(message(bob, "m" + std::to_string(i)));
    if (i % 50 == 0) world.settle();
  }
  world.settle();
  world.wait(key_window_idle);
  world.sweep();
  world.store->batches.clear();

  EXPECT_EQ(world.done(message(bob, "m1")).seq, core::Seq(2));  // still in the window
  EXPECT_EQ(world.done(message(bob, "m" + std::to_string(core::key_window_max))).seq.value,
            core::key_window_max + 1);
  EXPECT_TRUE(world.store->batches.empty());
  world.done(message(bob, "new"));  // pushes m1 out, not the newest
  world.store->batches.clear();
  world.done(message(bob, "m2"));
  world.done(message(bob, "m" + std::to_string(core::key_window_max)));
  EXPECT_TRUE(world.store->batches.empty());
  EXPECT_EQ(world.done(message(bob, "m1")).seq, core::Seq(2));  // from the store
  EXPECT_EQ(world.store->batches.size(), 1U);

  world.done(commit(alice, 0));
  world.wait(key_window_idle);
  world.sweep();
  EXPECT_EQ(world.done(message(bob, "m0")).seq, core::Seq(1));  // a refusal it must not believe
}

TEST(KeyWindow, that_cannot_be_read_answers_nothing_definite) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));
  world.wait(key_window_idle);
  world.sweep();
  world.ask(mark_read(alice, 1));
  world.think();
  int failures = 1;
  world.disk.on_read([&] { return failures-- > 0; });

  const auto again = world.ask(message(bob, "m1"));
  world.settle();
  world.wait(std::chrono::seconds(1));
  world.settle();

  EXPECT_EQ(again->value().seq, core::Seq(1));
}

TEST(KeyWindow, of_a_busy_conversation_stays) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));
  world.wait(key_window_idle - std::chrono::seconds(1));
  world.sweep();
  int reads = 0;
  world.disk.on_read([&] { return ++reads, false; });

  world.done(message(bob, "m1"));

  EXPECT_EQ(reads, 0);
}

TEST(Passivation, takes_an_idle_actor_and_loses_nothing) {
  World world;
  world.created({bob});
  const auto sent = world.done(message(bob, "m1"));
  world.wait(std::chrono::hours(1));
  world.sweep();
  EXPECT_EQ(world.gateway->active_actors(), 0U);
  EXPECT_EQ(world.metric(stops_idle), 1);
  EXPECT_EQ(world.metric(mismatches), 0);

  EXPECT_EQ(world.done(message(bob, "m1")), sent);
  EXPECT_EQ(world.done(message(bob, "m2")).seq, core::Seq(2));
}

TEST(Passivation, leaves_a_busy_actor) {
  World world;
  world.created({bob});
  world.wait(std::chrono::hours(1));
  const auto sent = world.ask(message(bob, "m1"));
  world.think();
  world.wait(std::chrono::hours(2));
  world.gateway->sweep();
  world.think();

  EXPECT_EQ(world.gateway->active_actors(), 1U);
  world.settle();
  EXPECT_TRUE(sent->ok());
}

// Its commit lost to another server's and was refused; the lane has yet to say so. The lane would
// tell an actor that is gone.
TEST(Passivation, leaves_an_actor_that_the_lane_will_still_tell_of_a_write) {
  World world;
  world.engine->alone = [] { return false; };
  world.created({bob});
  world.foreign_write(commit(alice, 0));
  world.engine->fence = 1'000;  // another conversation has drawn one since: no need to ask the lane
  const auto seen = world.look(bob);
  const auto lost = world.ask(commit(bob, 0));
  world.think();
  ASSERT_TRUE(seen->ok());
  ASSERT_EQ(lost->code(), Errc::epoch_mismatch);

  world.wait(std::chrono::hours(1));
  world.gateway->sweep();
  world.think();
  EXPECT_EQ(world.gateway->active_actors(), 1U);
  world.settle();

  world.sweep();
  EXPECT_EQ(world.gateway->active_actors(), 0U);
}

TEST(Passivation, notices_memory_that_differs_from_the_store) {
  World world;
  world.created({bob});
  world.foreign_write(message(alice, "theirs"));
  world.wait(std::chrono::hours(1));
  world.sweep();

  EXPECT_EQ(world.metric(mismatches), 1);
  EXPECT_EQ(world.gateway->active_actors(), 0U);
}

TEST(Passivation, agrees_with_the_store_after_every_kind_of_write) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));
  world.done(mark_read(alice, 1));
  world.done(add(alice, {carol}));
  world.done(take_out(alice, {carol}, with_commit(0)));
  world.done(command(bob, core::UpdateGroupInfo{info_part(1)}));
  world.wait(std::chrono::hours(1));
  world.sweep();

  EXPECT_EQ(world.metric(mismatches), 0);
  EXPECT_EQ(world.metric(stops_idle), 1);
}

TEST(Passivation, does_not_lose_a_letter_that_comes_during_the_audit) {
  World world;
  world.created({bob});
  world.wait(std::chrono::hours(1));
  world.gateway->sweep();
  drain({&world.worker});  // the audit's read is on its way

  const auto sent = world.ask(message(bob, "m1"));
  world.settle();

  ASSERT_TRUE(sent->ok());
  EXPECT_EQ(sent->value().seq, core::Seq(1));
  EXPECT_EQ(world.metric(mismatches), 0);
}

TEST(Passivation, does_not_lose_a_letter_that_comes_with_the_audits_answer) {
  World world;
  world.created({bob});
  world.wait(std::chrono::hours(1));
  world.gateway->sweep();
  drain({&world.worker});
  world.reads.run_one();   // the answer is posted,
  world.worker.run_one();  // taken, and the removal posted behind
  const auto sent = world.ask(message(bob, "m1"));
  world.settle();

  ASSERT_TRUE(sent->ok());
  EXPECT_EQ(world.done(message(bob, "m1")), sent->value());
}

/// Bytes of an actor of create_many().
std::size_t actor_bytes() {
  struct Nobody final : ConversationActor::Owner {
    void changed(const core::ConvoId&) override {}
  };
  World world;
  Nobody owner;
  const auto id = convo_number(0);
  ConversationActor actor(id, world.worker, *world.engine, owner);
  auto one = create({bob});
  std::get<core::CreateConvo>(one.what).group_id = bytes("0");
  Letter letter;
  letter.what = CommandLetter{std::move(one), [](Result<core::Outcome>) {}};
  letter.deadline = Instant::max();
  actor.deliver(std::move(letter));
  world.settle();
  return actor.bytes();
}

/// Whether asking for it reads nothing from the store.
bool in_memory(World& world, const core::ConvoId& convo) {
  int reads = 0;
  world.disk.on_read([&] { return ++reads, false; });
  const auto seen = world.look(convo, alice);
  world.settle();
  EXPECT_TRUE(seen->ok());
  world.disk.on_read({});
  return reads == 0;
}

TEST(MemoryCap, passivates_the_longest_idle_first) {
  World world;
  const auto each = actor_bytes();
  world.engine->actor_bytes_max = 2 * each + each / 2;
  world.gateway =
      std::make_unique<ActorGateway>(std::vector<Executor*>{&world.worker}, *world.engine);
  create_many(world, 4);
  world.look(convo_number(0), bob);  // the last used now
  world.settle();

  world.sweep();

  EXPECT_EQ(world.gateway->active_actors(), 2U);
  EXPECT_EQ(world.metric(stops_memory), 2);
  EXPECT_TRUE(in_memory(world, convo_number(0)));
  EXPECT_TRUE(in_memory(world, convo_number(3)));
  EXPECT_FALSE(in_memory(world, convo_number(1)));
}

TEST(MemoryCap, leaves_everyone_while_there_is_room) {
  World world;
  create_many(world, 4);

  world.sweep();

  EXPECT_EQ(world.gateway->active_actors(), 4U);
}

TEST(Sweeps, repeat_by_themselves_once_started) {
  World world;
  world.created({bob});
  world.gateway->start();
  world.settle();
  for (int i = 0; i < 2; ++i) {
    world.wait(std::chrono::hours(1));
    world.settle();
  }

  EXPECT_EQ(world.gateway->active_actors(), 0U);
  EXPECT_LE(world.worker.next_timer(), std::chrono::milliseconds(sweep_interval_max));
}

}  // namespace
}  // namespace catbird::actors
