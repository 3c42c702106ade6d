// SPDX-License-Identifier: MIT
// The write side: who may write, what a batch does as a whole and one by one.
#include "contract/storage/fixture.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Commit : public StorageContract {};
INSTANTIATE_TEST_SUITE_P(Backend, Commit, testing::ValuesIn(all_backends()), case_name);

TEST_P(Commit, a_created_conversation_loads_as_the_fold_of_its_events) {
  Script convo("c1", core::Fence(7));

  write(convo, convo.create({bob}, core::Epoch(3)));

  const auto loaded = *reader().load(convo.id);
  EXPECT_TRUE(loaded.state.exists);
  EXPECT_EQ(loaded.state.group_id, id32("c1"));
  EXPECT_EQ(loaded.state.creator, alice);
  EXPECT_EQ(loaded.state.epoch, core::Epoch(3));
  EXPECT_EQ(loaded.state.creation_epoch, core::Epoch(3));
  EXPECT_EQ(loaded.fence, core::Fence(7));
  EXPECT_EQ(loaded.version, core::Version(1));
  EXPECT_NE(loaded.row, 0);
  ASSERT_EQ(loaded.state.members.size(), 2U);
  EXPECT_EQ(loaded.state.members.at(0).user, alice);
  EXPECT_TRUE(loaded.state.members.at(0).admin);
  EXPECT_FALSE(loaded.state.members.at(1).admin);
}

TEST_P(Commit, a_conversation_that_is_not_there_loads_as_not_existing) {
  const auto loaded = *reader().load(core::ConvoId("nothing"));

  EXPECT_FALSE(loaded.state.exists);
  EXPECT_EQ(loaded.row, 0);
  EXPECT_EQ(loaded.version, core::Version(0));
}

TEST_P(Commit, a_second_creation_of_an_id_or_of_a_group_is_fenced_and_changes_nothing) {
  Script convo("c1");
  write(convo, convo.create({bob}));
  const auto before = *reader().load(convo.id);
  Script again("c1", core::Fence(9));
  Script same_group("c2", core::Fence(9));
  auto stolen = same_group.create({carol});
  std::get<core::ConvoCreated>(stolen.events.front()).group_id = id32("c1");

  const auto result = commit({again.create({carol}), stolen});

  EXPECT_EQ(result.sets[0].status, CommitStatus::fenced);
  EXPECT_EQ(result.sets[1].status, CommitStatus::fenced);
  EXPECT_EQ(reader().load(convo.id)->state, before.state);
  EXPECT_FALSE(reader().load(same_group.id)->state.exists);
}

TEST_P(Commit, a_write_set_that_expects_anything_else_than_what_is_stored_is_fenced) {
  Script convo("c1", core::Fence(5));
  write(convo, convo.create());
  write(convo, convo.message("m1"));
  const auto right = convo.message("m2");
  auto other_fence = right;
  other_fence.seen = core::Fence(4);
  auto lower_fence = right;
  lower_fence.fence = core::Fence(4);
  auto other_version = right;
  other_version.version = core::Version(right.version.value + 1);
  Script ahead = convo;
  ahead.last_seq = core::Seq(2);
  const auto other_seq = ahead.message("m2");
  Script stale = convo;
  stale.epoch = core::Epoch(1);
  const auto other_epoch = stale.message("m2");
  Script other_row("c1");
  auto wrong_row = right;
  wrong_row.row = right.row + 1;

  for (const auto& set :
       {other_fence, lower_fence, other_version, other_seq, other_epoch, wrong_row}) {
    EXPECT_EQ(commit({set}).sets[0].status, CommitStatus::fenced);
  }

  EXPECT_EQ(reader().load(convo.id)->state.last_seq, core::Seq(1));
  EXPECT_EQ(commit({right}).sets[0].status, CommitStatus::committed);
}

TEST_P(Commit, a_set_of_an_unknown_conversation_is_fenced) {
  Script convo("c1");

  const auto result = commit({convo.message("m1")});

  EXPECT_EQ(result.sets[0].status, CommitStatus::fenced);
}

TEST_P(Commit, a_higher_fence_takes_the_conversation_over_and_the_old_owner_is_fenced) {
  Script old_owner("c1", core::Fence(1));
  write(old_owner, old_owner.create());
  Script new_owner = old_owner;
  new_owner.fence = core::Fence(2);

  write(new_owner, new_owner.set({}));

  EXPECT_EQ(reader().load(old_owner.id)->fence, core::Fence(2));
  EXPECT_EQ(commit({old_owner.message("m1")}).sets[0].status, CommitStatus::fenced);
}

TEST_P(Commit, sets_of_one_conversation_apply_in_order_within_a_batch) {
  Script convo("c1");
  const auto first = convo.create();
  convo.follow(first);
  const auto second = convo.message("m1");
  convo.follow(second);
  const auto third = convo.commit("k1");
  convo.follow(third);
  const auto fourth = convo.message("m2");

  const auto result = commit({first, second, third, fourth});

  for (const auto& one : result.sets) EXPECT_EQ(one.status, CommitStatus::committed);
  EXPECT_THAT(ids(rows(convo)), ElementsAre("m1", "k1", "m2"));
  EXPECT_EQ(reader().load(convo.id)->state.epoch, core::Epoch(1));
  EXPECT_EQ(reader().load(convo.id)->version, core::Version(4));
}

TEST_P(Commit, one_set_may_carry_many_commands) {
  Script convo("c1");
  write(convo, convo.create());
  Script head = convo;
  std::vector<core::Event> events;
  for (const auto* id : {"m1", "m2", "m3"}) {
    events.push_back(head.row(core::Kind::app, id));
    ++head.last_seq.value;
  }

  const auto result = write(convo, convo.set(events));

  const auto found = rows(convo);
  EXPECT_THAT(ids(found), ElementsAre("m1", "m2", "m3"));
  EXPECT_EQ(found[0].position, result.first_position);
  EXPECT_EQ(found[2].position, result.first_position + 2);
}

TEST_P(Commit, positions_follow_the_commit_order_over_conversations) {
  Script one("c1");
  Script two("c2");
  write(one, one.create());
  write(two, two.create());

  const auto first = write(one, one.message("a"));
  const auto second = write(two, two.message("b"));
  const auto third = write(one, one.message("c"));

  EXPECT_LT(first.first_position, second.first_position);
  EXPECT_LT(second.first_position, third.first_position);
  EXPECT_EQ(*reader().last_position(), third.first_position);
}

TEST_P(Commit, a_refused_set_leaves_its_neighbours_alone) {
  Script good("c1");
  Script bad("c2");
  Script late("c3");
  write(good, good.create());
  write(bad, bad.create());
  write(bad, bad.message("m1"));

  const auto result = commit({good.message("m1"), bad.message("m1"), late.create()});

  EXPECT_EQ(result.sets[0].status, CommitStatus::committed);
  EXPECT_EQ(result.sets[1].status, CommitStatus::rejected);
  EXPECT_EQ(result.sets[1].error.code, Errc::conflict);
  EXPECT_EQ(result.sets[2].status, CommitStatus::committed);
  EXPECT_THAT(ids(rows(good)), ElementsAre("m1"));
  EXPECT_THAT(ids(rows(bad)), ElementsAre("m1"));
}

TEST_P(Commit, after_a_refused_set_the_later_ones_of_its_conversation_are_fenced) {
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.message("m1"));
  const auto twice = convo.message("m1");
  Script decided_on_top = convo;
  decided_on_top.follow(twice);
  const auto fresh = convo.message("m2");  // would fit, if order did not count

  const auto result = commit({twice, decided_on_top.message("m3"), fresh});

  EXPECT_EQ(result.sets[0].status, CommitStatus::rejected);
  EXPECT_EQ(result.sets[1].status, CommitStatus::fenced);
  EXPECT_EQ(result.sets[2].status, CommitStatus::fenced);
  EXPECT_THAT(ids(rows(convo)), ElementsAre("m1"));
}

TEST_P(Commit, a_refused_set_leaves_nothing_of_itself) {
  Script convo("c1");
  write(convo, convo.create({bob}));
  write(convo, convo.message("m1"));
  const auto before = *reader().load(convo.id);
  const auto position = *reader().last_position();
  Script head = convo;
  std::vector<core::Event> events{head.row(core::Kind::commit, "k1")};
  head.follow(head.set(events));
  events.emplace_back(core::MemberAdded{carol, false, core::Seq(2), start});
  events.emplace_back(core::MemberLeft{bob, core::Seq(2), core::Epoch(1), start});
  events.emplace_back(core::GroupInfoStored{core::Epoch(1), start, blob("info")});
  events.emplace_back(
      core::WelcomeStored{{blob("welcome"), {{carol, {}, {}}}}, core::Epoch(1), start});
  events.emplace_back(core::RequestRecorded{alice, {"m", "key", {}}, {}});
  events.push_back(head.row(core::Kind::app, "m1"));

  const auto result = commit({convo.set(events)});

  EXPECT_EQ(result.sets[0].error.code, Errc::conflict);
  const auto loaded = *reader().load(convo.id);
  EXPECT_EQ(loaded.state, before.state);
  EXPECT_EQ(loaded.version, before.version);
  // A position drawn for nothing may stay unused; no row stands there.
  EXPECT_GE(*reader().last_position(), position);
  EXPECT_TRUE(reader().log({.convos = {convo.id}, .after = position})->empty());
  EXPECT_FALSE(*reader().find_key(convo.id, core::KeyWindow::request_key(alice, {"m", "key", {}})));
  EXPECT_FALSE(*reader().group_info(convo.id));
  EXPECT_FALSE(*reader().welcome(convo.id, {carol, {}}, start));
}

TEST_P(Commit, a_message_id_is_unique_in_its_conversation_only) {
  Script one("c1");
  Script two("c2");
  write(one, one.create());
  write(two, two.create());
  write(one, one.message("same"));

  EXPECT_EQ(commit({one.message("same")}).sets[0].error.code, Errc::conflict);
  EXPECT_EQ(commit({two.message("same")}).sets[0].status, CommitStatus::committed);
}

TEST_P(Commit, a_request_key_is_unique_for_its_user_and_method_everywhere) {
  Script one("c1");
  Script two("c2");
  write(one, one.create());
  write(two, two.create());
  const core::RequestKey key{"addMembers", "k", {}};
  write(one, one.set({core::RequestRecorded{alice, key, {}}}));

  const auto same = commit({two.set({core::RequestRecorded{alice, key, {}}})});
  const auto other_user = commit({two.set({core::RequestRecorded{bob, key, {}}})});

  EXPECT_EQ(same.sets[0].status, CommitStatus::rejected);
  EXPECT_EQ(same.sets[0].error.code, Errc::conflict);
  EXPECT_EQ(other_user.sets[0].status, CommitStatus::committed);
}

TEST_P(Commit, a_set_that_contradicts_itself_is_refused_as_a_bug) {
  Script convo("c1");
  write(convo, convo.create());
  Script gap = convo;
  ++gap.last_seq.value;
  auto skips_a_number = gap.message("m1");
  skips_a_number.last_seq = convo.last_seq;
  auto keeps_the_number = convo.message("m1");
  keeps_the_number.new_last_seq = convo.last_seq;
  auto wrong_base = convo.commit("k1");
  std::get<core::RowAppended>(wrong_base.events[0]).base = core::Epoch(5);
  auto stranger_leaves = convo.set({core::MemberLeft{carol, core::Seq(0), core::Epoch(0), start}});
  auto added_twice = convo.set({core::MemberAdded{bob, false, core::Seq(0), start}});

  for (const auto& set :
       {skips_a_number, keeps_the_number, wrong_base, stranger_leaves, added_twice}) {
    const auto result = commit({set});
    EXPECT_EQ(result.sets[0].status, CommitStatus::rejected);
    EXPECT_EQ(result.sets[0].error.code, Errc::internal);
  }

  EXPECT_THAT(rows(convo), IsEmpty());
}

TEST_P(Commit, only_one_commit_leads_from_an_epoch) {
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.commit("k1"));
  Script fork = convo;
  fork.epoch = core::Epoch(0);
  auto second = fork.commit("k2");
  second.epoch = convo.epoch;
  second.new_epoch = convo.epoch;

  const auto result = commit({second});

  EXPECT_EQ(result.sets[0].status, CommitStatus::rejected);
  EXPECT_THAT(ids(rows(convo)), ElementsAre("k1"));
}

TEST_P(Commit, a_failing_job_undoes_its_own_writes_only) {
  Script convo("c1");
  const core::Caller owner{bob, core::DeviceId("d1")};
  const NewKeyPackage kept{id32("r1"), id32("h1"), 1, false, after(day_ms), {1, 2}};
  const NewKeyPackage undone{id32("r2"), id32("h2"), 1, false, after(day_ms), {3}};
  const UserJob good{[&](UserWriter& users) -> Result<void> {
    auto stored = users.publish(owner, kept, start);
    if (!stored) return std::unexpected(stored.error());
    return {};
  }};
  const UserJob bad{[&](UserWriter& users) -> Result<void> {
    (void)users.publish(owner, undone, start);
    return fail(Errc::too_many_key_packages, "because");
  }};

  const auto result = commit({convo.create()}, {bad, good});

  EXPECT_EQ(result.sets[0].status, CommitStatus::committed);
  EXPECT_EQ(result.jobs[0].status, CommitStatus::rejected);
  EXPECT_EQ(result.jobs[0].error.code, Errc::too_many_key_packages);
  EXPECT_EQ(result.jobs[1].status, CommitStatus::committed);
  const auto found = *reader().find_key_packages({id32("r1"), id32("r2")}, start);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].ref, id32("r1"));
}

TEST_P(Commit, everything_committed_is_there_after_a_restart) {
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.message("m1", alice, std::string(100'000, 'x')));
  const auto before = *reader().load(convo.id);

  reopen();

  const auto loaded = *reader().load(convo.id);
  EXPECT_EQ(loaded.state, before.state);
  EXPECT_EQ(loaded.version, before.version);
  EXPECT_EQ(text(rows(convo).at(0).bytes), std::string(100'000, 'x'));
}

TEST_P(Commit, fences_are_drawn_once_and_grow_over_restarts) {
  const auto first = *writer().draw_fence();
  const auto second = *writer().draw_fence();

  reopen();

  const auto third = *writer().draw_fence();
  EXPECT_LT(core::Fence(0), first);
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST_P(Commit, the_incarnation_outlives_a_restart) {
  const auto before = stores().incarnation();

  reopen();

  EXPECT_FALSE(before.empty());
  EXPECT_EQ(stores().incarnation(), before);
}

TEST_P(Commit, an_empty_batch_is_no_harm_and_idle_may_be_called_at_any_time) {
  writer().idle();

  const auto result = commit({});

  EXPECT_THAT(result.sets, IsEmpty());
  writer().idle();
  EXPECT_TRUE(reader().ping());
}

}  // namespace
}  // namespace catbird::storage
