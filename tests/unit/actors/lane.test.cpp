// SPDX-License-Identifier: MIT
#include "actors/commit_lane.hpp"
#include "actors/limits.hpp"
#include "unit/actors/world.hpp"

#include <string>

namespace catbird::actors {
namespace {

storage::WriteSet set_of(std::size_t bytes) {
  storage::WriteSet set;
  set.convo = convo_id();
  core::RowAppended row;
  row.bytes = make_blob(Bytes(bytes, 7));
  set.events.emplace_back(std::move(row));
  return set;
}

class LaneTest : public testing::Test {
 protected:
  void submit(storage::WriteSet set, std::shared_ptr<Activation> of) {
    world.lane->submit(
        {.set = std::move(set),
         .activation = std::move(of),
         .home = &world.worker,
         .done = [this](storage::WriteResult result) { ended.push_back(result.status); }});
  }
  /// What the store does with the next batches: all committed, nothing stored.
  void accept_batches(int count) {
    for (int i = 0; i < count; ++i) {
      world.store->next.push_back(all_end(storage::CommitStatus::committed, Errc::internal));
    }
  }

  World world;
  std::shared_ptr<Activation> life = std::make_shared<Activation>();
  std::vector<storage::CommitStatus> ended;
};

using enum storage::CommitStatus;
using Ended = std::vector<storage::CommitStatus>;

TEST_F(LaneTest, puts_everything_that_is_pending_into_the_next_transaction) {
  accept_batches(2);
  for (int i = 0; i < 10; ++i) submit(set_of(10), life);

  world.lane_thread.run_one();

  ASSERT_EQ(world.store->batches.size(), 1U);
  EXPECT_EQ(world.store->batches[0].size(), 10U);
}

TEST_F(LaneTest, gathers_what_comes_while_a_transaction_runs) {
  world.store->next.push_back([this](auto sets, auto jobs, auto& real) {
    for (int i = 0; i < 3; ++i) submit(set_of(10), life);
    return all_end(committed, Errc::internal)(sets, jobs, real);
  });
  accept_batches(1);
  submit(set_of(10), life);

  world.settle();

  ASSERT_EQ(world.store->batches.size(), 2U);
  EXPECT_EQ(world.store->batches[1].size(), 3U);
}

TEST_F(LaneTest, admits_no_more_than_it_can_write_soon) {
  auto slow = [this](auto sets, auto jobs, auto& real) {
    world.wait(std::chrono::milliseconds(100));
    return all_end(committed, Errc::internal)(sets, jobs, real);
  };
  world.store->next.emplace_back(slow);
  accept_batches(9);
  EXPECT_TRUE(world.lane->admits(false));
  for (std::size_t i = 0; i < 2 * lane_batch_sets_max; ++i) submit(set_of(1), life);
  EXPECT_TRUE(world.lane->admits(false));  // how long a write takes is not known yet

  world.lane_thread.run_one();

  EXPECT_TRUE(world.lane->admits(false));  // one transaction waits, for 100 ms
  std::size_t more = 0;
  for (; world.lane->admits(false); ++more) submit(set_of(1), life);
  EXPECT_EQ(more, lane_batch_sets_max / 5 + 1);  // up to 120 ms
  EXPECT_TRUE(world.lane->admits(true));         // a group change may wait a little longer
  for (int i = 0; i < 100; ++i) submit(set_of(1), life);
  EXPECT_FALSE(world.lane->admits(true));
  world.settle();
  EXPECT_TRUE(world.lane->admits(false));
}

TEST_F(LaneTest, a_burst_is_not_judged_by_what_a_write_costs_alone) {
  auto slow = [this](auto sets, auto jobs, auto& real) {
    world.wait(std::chrono::milliseconds(5));
    submit(set_of(1), life);
    return all_end(committed, Errc::internal)(sets, jobs, real);
  };
  for (int i = 0; i < 20; ++i) world.store->next.emplace_back(slow);
  accept_batches(9);
  submit(set_of(1), life);
  for (int i = 0; i < 20; ++i) world.lane_thread.run_one();

  for (std::size_t i = 0; i < 8 * lane_batch_sets_max; ++i) submit(set_of(1), life);

  EXPECT_TRUE(world.lane->admits(false));
  world.settle();
}

TEST_F(LaneTest, admits_little_while_the_database_hangs) {
  bool few = false;
  bool many = true;
  world.store->next.push_back([&](auto sets, auto jobs, auto& real) {
    world.wait(admission_stall_max + std::chrono::milliseconds(1));
    few = world.lane->admits(false);
    for (std::size_t i = 0; i < admission_sets_min; ++i) submit(set_of(1), life);
    many = world.lane->admits(false);
    return all_end(committed, Errc::internal)(sets, jobs, real);
  });
  accept_batches(9);
  submit(set_of(1), life);

  world.settle();

  EXPECT_TRUE(few);
  EXPECT_FALSE(many);
}

TEST_F(LaneTest, what_is_not_admitted_is_refused_at_once_and_reads_are_not) {
  world.created({bob});
  bool reads_and_marks = false;
  Answer refused;
  world.store->next.push_back([&](auto sets, auto jobs, auto& real) {
    world.wait(admission_stall_max + std::chrono::milliseconds(1));
    for (std::size_t i = 0; i < admission_sets_min; ++i) submit(set_of(1), life);
    refused = world.ask(message(bob, "m2"));
    const auto seen = world.look(bob);
    const auto marked = world.ask(mark_read(bob, 1));
    world.worker.run_one();
    reads_and_marks = !seen->yet() && !marked->yet();
    return real.commit(sets, jobs);
  });
  accept_batches(3);
  world.ask(message(bob, "m1"));

  world.settle();

  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->code(), Errc::overloaded);
  EXPECT_TRUE(reads_and_marks);
  EXPECT_EQ(world.metric(
                "actor_message_drops_total{actor_type=\"conversation_actor\",reason=\"overload\"}"),
            1);
}

TEST_F(LaneTest, bounds_a_transaction_in_write_sets) {
  accept_batches(2);
  for (std::size_t i = 0; i < lane_batch_sets_max + 1; ++i) submit(set_of(1), life);

  world.settle();

  ASSERT_EQ(world.store->batches.size(), 2U);
  EXPECT_EQ(world.store->batches[0].size(), lane_batch_sets_max);
  EXPECT_EQ(world.store->batches[1].size(), 1U);
}

TEST_F(LaneTest, bounds_a_transaction_in_bytes_but_takes_one_larger_set) {
  accept_batches(3);
  submit(set_of(lane_batch_bytes_max * 2), life);
  for (int i = 0; i < 3; ++i) submit(set_of(lane_batch_bytes_max / 3), life);

  world.settle();

  ASSERT_EQ(world.store->batches.size(), 3U);
  EXPECT_EQ(world.store->batches[0].size(), 1U);
  EXPECT_EQ(world.store->batches[1].size(), 2U);
  EXPECT_EQ(world.store->batches[2].size(), 1U);
}

TEST_F(LaneTest, keeps_the_sets_of_a_dead_activation_from_the_store) {
  const auto other = std::make_shared<Activation>();
  world.store->next.push_back(all_end(unknown, Errc::retry));
  submit(set_of(lane_batch_bytes_max), life);
  submit(set_of(10), life);
  submit(set_of(10), other);
  accept_batches(1);

  world.settle();

  ASSERT_EQ(world.store->batches.size(), 2U);
  EXPECT_EQ(world.store->batches[1].size(), 1U);
  EXPECT_EQ(ended, (Ended{unknown, fenced, committed}));
  EXPECT_FALSE(life->alive.load());
  EXPECT_TRUE(other->alive.load());
}

TEST_F(LaneTest, ends_an_activation_for_everything_but_committed) {
  for (const auto status : {fenced, rejected, failed, unknown}) {
    const auto one = std::make_shared<Activation>();
    world.store->next.push_back(all_end(status, Errc::internal));
    submit(set_of(1), one);
    world.settle();
    EXPECT_FALSE(one->alive.load());
  }
  EXPECT_EQ(ended, (Ended{fenced, rejected, failed, unknown}));
}

TEST_F(LaneTest, answers_in_the_order_of_submission) {
  std::vector<int> order;
  accept_batches(1);
  for (int i = 0; i < 5; ++i) {
    world.lane->submit({.set = set_of(1),
                        .activation = life,
                        .home = &world.worker,
                        .done = [&order, i](storage::WriteResult) { order.push_back(i); }});
  }

  world.settle();

  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(LaneTest, answers_on_the_home_of_each_set_only) {
  accept_batches(1);
  submit(set_of(1), life);

  drain({&world.lane_thread});
  EXPECT_TRUE(ended.empty());
  drain({&world.worker});
  EXPECT_EQ(ended, Ended{committed});
}

TEST_F(LaneTest, publishes_only_what_is_committed_and_asks_for_a_look_when_unsure) {
  world.store->next.push_back(all_end(failed, Errc::storage_unavailable));
  submit(set_of(1), std::make_shared<Activation>());
  world.settle();
  EXPECT_TRUE(world.sink.published.empty());
  EXPECT_EQ(world.sink.resyncs, 0);

  world.store->next.push_back(all_end(unknown, Errc::retry));
  submit(set_of(1), std::make_shared<Activation>());
  world.settle();
  EXPECT_TRUE(world.sink.published.empty());
  EXPECT_EQ(world.sink.resyncs, 1);
}

TEST_F(LaneTest, numbers_published_rows_with_their_store_wide_positions) {
  world.created({bob});
  world.sink.published.clear();
  world.ask(message(bob, "m1"));
  world.ask(message(bob, "m2"));
  world.ask(message(bob, "m3"));
  world.settle();

  ASSERT_EQ(world.sink.published.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& row = std::get<realtime::LiveRow>(world.sink.published[i]);
    EXPECT_EQ(row.position, i + 2);  // behind the notice that bob is in
    EXPECT_EQ(row.seq, core::Seq(i + 1));
    EXPECT_EQ(row.convo, convo_id());
  }
}

// PostgreSQL writes the plain sets of a batch before the others.
TEST_F(LaneTest, publishes_in_the_order_of_the_log_whatever_the_order_of_the_batch) {
  auto of_convo = [](const char* convo, std::optional<core::Did> joins = std::nullopt) {
    auto set = set_of(10);
    set.convo = core::ConvoId(convo);
    if (joins) set.events.emplace_back(core::MemberAdded{*joins, false, {}, {}});
    return set;
  };
  world.store->next.push_back([](auto sets, auto jobs, auto& real) {
    auto result = all_end(committed, Errc::internal)(sets, jobs, real);
    const std::uint64_t positions[] = {12, 13, 10, 11};
    for (std::size_t i = 0; i < sets.size(); ++i) result.sets[i].first_position = positions[i];
    return result;
  });
  submit(of_convo("c1", bob), life);
  submit(of_convo("c1"), life);
  submit(of_convo("c2"), life);
  submit(of_convo("c3"), life);

  world.lane_thread.run_one();

  std::vector<std::string> seen;
  for (const auto& event : world.sink.published) {
    const auto* row = std::get_if<realtime::LiveRow>(&event);
    seen.push_back(row != nullptr ? row->convo.value + " " + std::to_string(row->position)
                                  : "join");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"c2 10", "c3 11", "c1 12", "join", "c1 13"}));
}

TEST_F(LaneTest, publishes_what_jobs_noted_with_the_rows_of_their_batch) {
  const auto noted = [](const char* convo, std::uint64_t position) {
    core::Noted one;
    one.user = bob;
    return storage::PlacedNotice{core::ConvoId(convo), position, one};
  };
  world.store->next.push_back([&](auto sets, auto jobs, auto& real) {
    auto result = all_end(committed, Errc::internal)(sets, jobs, real);
    result.sets[0].first_position = 6;
    result.jobs[0].status = committed;
    result.jobs[0].notices = {noted("c2", 5), noted("c3", 7)};
    return result;
  });
  submit(set_of(10), life);
  world.lane->submit(
      CommitLane::JobEntry{.job = {[](storage::UserWriter&) -> Result<void> { return {}; }},
                           .home = &world.worker,
                           .done = [](const storage::UserResult&) {}});

  world.lane_thread.run_one();

  std::vector<std::uint64_t> positions;
  for (const auto& event : world.sink.published) {
    positions.push_back(realtime::position_of(event).value_or(0));
  }
  EXPECT_EQ(positions, (std::vector<std::uint64_t>{5, 6, 7}));
}

TEST_F(LaneTest, runs_jobs_in_the_same_transactions_and_tells_each_its_own_end) {
  std::vector<storage::CommitStatus> done;
  const auto job = [&](Result<void> result) {
    world.lane->submit(CommitLane::JobEntry{
        .job = {[result](storage::UserWriter&) { return result; }},
        .home = &world.worker,
        .done = [&done](storage::UserResult one) { done.push_back(one.status); }});
  };
  job({});
  job(fail(Errc::key_package_not_found));
  submit(set_of(1), life);  // of a conversation that does not exist

  world.settle();

  EXPECT_EQ(world.store->batches.size(), 1U);
  EXPECT_EQ(done, (Ended{committed, rejected}));
  EXPECT_NE(ended, Ended{committed});
}

TEST_F(LaneTest, tells_the_store_when_nothing_is_pending) {
  accept_batches(2);
  for (std::size_t i = 0; i < lane_batch_sets_max + 1; ++i) submit(set_of(1), life);

  world.lane_thread.run_one();
  EXPECT_EQ(world.store->idle_calls, 0);
  world.settle();
  EXPECT_EQ(world.store->idle_calls, 1);
}

}  // namespace
}  // namespace catbird::actors
