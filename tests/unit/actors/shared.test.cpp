// SPDX-License-Identifier: MIT
// Where another process may write the same store, an answer that writes nothing waits until the
// store still says what it was decided on (DECISIONS 7).
#include "unit/actors/world.hpp"

namespace catbird::actors {
namespace {

const std::string restarts_fenced =
    "actor_restarts_total{actor_type=\"conversation_actor\",reason=\"fenced\"}";

class Shared : public ::testing::Test {
 protected:
  Shared() {
    world.engine->alone = [] { return false; };
    world.created({bob});
  }
  World world;
};

TEST_F(Shared, retry_is_answered_once_the_store_says_the_same) {
  world.done(message(bob, "m1"));

  const auto again = world.ask(message(bob, "m1"));
  drain({&world.worker});
  EXPECT_FALSE(again->yet());
  world.settle();

  EXPECT_EQ(again->value().seq, core::Seq(1));
  EXPECT_EQ(world.metric(restarts_fenced), 0);
}

TEST_F(Shared, refusal_is_decided_again_on_what_another_wrote) {
  world.foreign_write(commit(alice, 0));

  const auto mine = world.ask(commit(bob, 1));  // 409 by the epoch in memory
  world.settle();

  ASSERT_TRUE(mine->ok());
  EXPECT_EQ(mine->value().epoch, core::Epoch(2));
  EXPECT_EQ(world.metric(restarts_fenced), 1);
}

TEST_F(Shared, refusal_names_the_epoch_that_another_made) {
  world.foreign_write(commit(alice, 0));

  const auto stale = world.ask(commit(bob, 9));
  world.settle();

  EXPECT_EQ(stale->code(), Errc::epoch_mismatch);
  EXPECT_EQ(stale->error().clash->server_epoch, 1U);
}

TEST_F(Shared, read_shows_what_another_wrote) {
  world.foreign_write(message(alice, "theirs"));

  const auto seen = world.look(bob);
  world.settle();

  EXPECT_EQ(seen->value().last_seq, core::Seq(1));
}

TEST_F(Shared, read_of_a_member_that_another_removed_is_not_answered_from_memory) {
  world.foreign_write(take_out(alice, {bob}));

  const auto seen = world.look(bob);
  world.settle();

  EXPECT_FALSE(seen->value().active);
}

TEST_F(Shared, answers_keep_their_order_when_they_are_decided_again) {
  world.foreign_write(message(alice, "theirs"));

  std::vector<Answer> asked;
  asked.push_back(world.ask(commit(bob, 9)));
  asked.push_back(world.ask(message(bob, "m1")));
  asked.push_back(world.ask(commit(bob, 8)));
  asked.push_back(world.ask(message(bob, "m1")));
  world.answered.clear();
  world.settle();

  EXPECT_EQ(world.answered, asked);
  EXPECT_EQ(asked[1]->value().seq, core::Seq(2));
  EXPECT_EQ(asked[3]->value(), asked[1]->value());
}

TEST_F(Shared, one_question_serves_all_that_wait) {
  world.done(message(bob, "m1"));

  std::vector<Answer> asked;
  for (int i = 0; i < 5; ++i) asked.push_back(world.ask(message(bob, "m1")));
  const auto seen = world.look(alice);
  drain({&world.worker});

  EXPECT_EQ(world.reads.ready(), 1U);
  world.settle();
  for (const auto& one : asked) EXPECT_TRUE(one->ok());
  EXPECT_TRUE(seen->ok());
}

// The row is newer than when the question was asked, and it is this actor that wrote it.
TEST_F(Shared, own_write_under_way_is_not_taken_for_another_writers) {
  const auto stale = world.ask(commit(bob, 9));
  const auto sent = world.ask(message(bob, "m1"));
  drain({&world.worker});
  EXPECT_TRUE(world.lane_thread.run_one());  // durable, and the actor has not heard
  drain({&world.reads});
  world.settle();

  EXPECT_EQ(stale->code(), Errc::epoch_mismatch);
  EXPECT_EQ(sent->value().seq, core::Seq(1));
  EXPECT_EQ(world.metric(restarts_fenced), 0);
}

TEST_F(Shared, answer_of_a_later_question_is_not_given_by_an_earlier_reading) {
  world.done(message(bob, "m1"));
  const auto before = world.look(bob);
  drain({&world.worker, &world.reads});  // the store has said what it says; nobody has heard
  world.foreign_write(message(alice, "theirs"));

  const auto after = world.look(bob);
  world.settle();

  EXPECT_TRUE(before->ok());
  EXPECT_EQ(after->value().last_seq, core::Seq(2));
}

TEST_F(Shared, nothing_is_answered_from_memory_while_the_store_is_silent) {
  world.done(message(bob, "m1"));
  world.disk.on_read([] { return true; });

  const auto again = world.ask(message(bob, "m1"));
  const auto seen = world.look(bob);
  world.settle();
  EXPECT_EQ(again->code(), Errc::storage_unavailable);
  EXPECT_EQ(seen->code(), Errc::storage_unavailable);

  world.disk.on_read(nullptr);
  EXPECT_EQ(world.done(message(bob, "m1")).seq, core::Seq(1));
}

TEST(NotShared, answers_ask_nobody) {
  World world;
  world.created({bob});
  world.done(message(bob, "m1"));

  const auto again = world.ask(message(bob, "m1"));
  drain({&world.worker});

  EXPECT_TRUE(again->ok());
  EXPECT_EQ(world.reads.ready(), 0U);
}

}  // namespace
}  // namespace catbird::actors
