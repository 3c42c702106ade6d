// SPDX-License-Identifier: MIT
// ENABLE_ACTOR_SYSTEM=false: the same answers without anything in memory.
#include "actors/direct_gateway.hpp"
#include "actors/limits.hpp"
#include "unit/actors/world.hpp"

#include <random>
#include <string>

namespace catbird::actors {
namespace {

using storage::CommitStatus;

/// A world whose conversations can be asked through the direct gateway too.
class Both : public World {
 public:
  Answer direct_ask(core::Command command,
                    std::chrono::milliseconds patience = std::chrono::hours(1)) {
    auto answer = std::make_shared<Heard<core::Outcome>>();
    direct.ask(convo_id(), std::move(command), time.now() + patience,
               [answer](Result<core::Outcome> outcome) { answer->hear(std::move(outcome)); });
    return answer;
  }
  Seen direct_look(const core::Did& user) {
    auto seen = std::make_shared<Heard<core::Access>>();
    direct.access(convo_id(), user, time.now() + std::chrono::hours(1),
                  [seen](Result<core::Access> access) { seen->hear(std::move(access)); });
    return seen;
  }
  /// Asks and lets everything run; the command must be accepted.
  core::Outcome direct_done(core::Command command) {
    auto answer = direct_ask(std::move(command));
    settle();
    if (!answer->ok()) ADD_FAILURE() << "refused";
    return answer->ok() ? answer->value() : core::Outcome{};
  }

  DirectGateway direct{DirectGateway::Parts{.workers = {&worker},
                                            .lane = *lane,
                                            .readers = *readers,
                                            .clock = clock,
                                            .metrics = *actor_metrics}};
};

TEST(DirectGateway, answers_and_publishes_what_is_durable) {
  Both world;
  world.direct_done(create({bob}));
  world.sink.published.clear();

  const auto sent = world.direct_done(message(bob, "m1"));

  EXPECT_EQ(sent.seq, core::Seq(1));
  EXPECT_EQ(world.stored().last_seq, core::Seq(1));
  ASSERT_EQ(world.sink.published.size(), 1U);
  EXPECT_EQ(std::get<realtime::LiveRow>(world.sink.published[0]).seq, core::Seq(1));
  EXPECT_EQ(world.direct.active_actors(), 0U);
}

TEST(DirectGateway, says_nothing_before_the_transaction) {
  Both world;
  world.direct_done(create({bob}));

  const auto sent = world.direct_ask(message(bob, "m1"));
  world.think();

  EXPECT_FALSE(sent->yet());
  world.settle();
  EXPECT_TRUE(sent->ok());
}

TEST(DirectGateway, knows_a_retry_however_old_and_another_users_id) {
  Both world;
  world.direct_done(create({bob}));
  const auto first = world.direct_done(message(bob, "m1"));
  world.direct_done(commit(alice, 0));

  const auto again = world.direct_ask(message(bob, "m1"));
  const auto poached = world.direct_ask(message(alice, "m1"));
  const auto strange = world.direct_ask(message(dave, "m1"));
  world.settle();

  EXPECT_EQ(again->value().seq, first.seq);
  EXPECT_EQ(poached->code(), Errc::conflict);
  EXPECT_EQ(strange->code(), Errc::not_member);
  EXPECT_EQ(world.stored().last_seq, core::Seq(2));
}

TEST(DirectGateway, lets_one_of_two_commits_on_an_epoch_win) {
  Both world;
  world.direct_done(create({bob}));

  const auto one = world.direct_ask(commit(alice, 0, "a"));
  const auto other = world.direct_ask(commit(bob, 0, "b"));
  world.settle();

  EXPECT_EQ(one->value().epoch, core::Epoch(1));
  EXPECT_EQ(other->code(), Errc::epoch_mismatch);
  EXPECT_EQ(world.metric("epoch_conflicts_total"), 1);
}

TEST(DirectGateway, makes_an_actor_that_had_the_conversation_reload) {
  Both world;
  world.created({bob});
  world.done(message(bob, "m1"));

  world.direct_done(commit(alice, 0));
  const auto stale = world.ask(message(bob, "m2"));
  world.settle();
  const auto mine = world.done(message(bob, "m2", 1));

  EXPECT_EQ(stale->code(), Errc::epoch_mismatch);
  EXPECT_EQ(mine.seq, core::Seq(3));
  world.direct_done(message(alice, "m3", 1));
  EXPECT_EQ(world.done(message(bob, "m4", 1)).seq, core::Seq(5));
}

TEST(DirectGateway, drops_what_waited_too_long_and_writes_nothing) {
  Both world;
  world.direct_done(create({bob}));

  const auto late = world.direct_ask(message(bob, "m1"), std::chrono::milliseconds(10));
  world.wait(std::chrono::milliseconds(20));
  world.settle();

  EXPECT_EQ(late->code(), Errc::deadline);
  EXPECT_EQ(world.stored().last_seq, core::Seq(0));
}

TEST(DirectGateway, is_bounded_and_goes_on_afterwards) {
  Both world;
  world.direct_done(create({bob}));
  std::vector<Seen> looks;
  for (std::size_t i = 0; i < direct_requests_max; ++i) looks.push_back(world.direct_look(bob));

  const auto extra = world.direct_ask(message(bob, "m1"));
  world.settle();

  EXPECT_EQ(extra->code(), Errc::overloaded);
  for (const auto& one : looks) EXPECT_TRUE(one->ok());
  world.direct_done(message(bob, "m1"));
}

TEST(DirectGateway, answers_a_store_that_fails_with_what_the_client_can_do) {
  struct {
    storage::Fault fault;
    Errc code;
    std::uint64_t last_seq;
  } cases[]{{storage::Fault::fail_before, Errc::retry, 0},
            {storage::Fault::full, Errc::storage_full, 0},
            {storage::Fault::unknown_lost, Errc::retry, 0},
            {storage::Fault::unknown_committed, Errc::retry, 1}};
  for (const auto& one : cases) {
    Both world;
    world.direct_done(create({bob}));

    world.disk.inject(one.fault);
    const auto sent = world.direct_ask(message(bob, "m1"));
    world.settle();

    EXPECT_EQ(sent->code(), one.code);
    EXPECT_EQ(world.stored().last_seq.value, one.last_seq);
    EXPECT_EQ(world.direct_done(message(bob, "m1")).seq, core::Seq(1)) << "the retry finds out";
  }
}

TEST(DirectGateway, makes_streams_look_again_when_an_outcome_is_unknown) {
  Both world;
  world.direct_done(create({bob}));

  world.disk.inject(storage::Fault::unknown_committed);
  world.direct_ask(message(bob, "m1"));
  world.settle();

  EXPECT_EQ(world.sink.resyncs, 1);
}

TEST(DirectGateway, reads_what_is_stored_and_knows_no_strangers) {
  Both world;
  world.direct_done(create({bob}));
  world.direct_done(message(bob, "m1"));

  const auto mine = world.direct_look(alice);
  const auto strange = world.direct_look(dave);
  world.settle();

  EXPECT_EQ(mine->value().last_seq, core::Seq(1));
  EXPECT_EQ(strange->code(), Errc::not_member);
}

/// What anyone might ask next, sensible or not.
core::Command any_command(std::mt19937& random, std::uint64_t epoch) {
  const std::vector<core::Did> users{alice, bob, carol, dave};
  auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto& caller = users[pick(users.size())];
  const auto& other = users[pick(users.size())];
  const auto base = pick(8) == 0 ? epoch + 1 : epoch;
  const auto name = std::to_string(pick(20));
  auto made = [&]() -> core::Command {
    switch (pick(8)) {
      case 0:
        return create({other}, caller);
      case 1:
        return add(caller, {other}, with_commit(base, name));
      case 2:
        return take_out(caller, {other}, with_commit(base, name));
      case 3:
        return leave(caller, other);
      case 4:
        return commit(caller, base, name);
      case 5:
        return mark_read(caller, pick(30));
      default:
        return message(caller, "m" + name, base);
    }
  }();
  return pick(3) == 0 ? keyed(std::move(made), "k" + name, static_cast<std::uint8_t>(pick(2)))
                      : made;
}

std::string describe(const Answer& answer) {
  if (!answer->yet()) return "no answer";
  if (!answer->ok()) return "refused " + std::to_string(static_cast<int>(answer->code()));
  const auto& outcome = answer->value();
  return "seq " + std::to_string(outcome.seq.value) + " epoch " +
         std::to_string(outcome.epoch.value) + " at " + std::to_string(outcome.at.value) + " " +
         outcome.detail;
}

TEST(DirectGateway, gives_the_same_answers_as_the_actors) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    Both actors;
    Both direct;
    std::mt19937 random(seed);
    for (int step = 0; step < 60; ++step) {
      const auto command = any_command(random, actors.stored().epoch.value);
      const auto one = actors.ask(command);
      const auto other = direct.direct_ask(command);
      actors.settle();
      direct.settle();
      ASSERT_EQ(describe(one), describe(other)) << "seed " << seed << " step " << step;
      ASSERT_EQ(actors.stored(), direct.stored()) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace catbird::actors
