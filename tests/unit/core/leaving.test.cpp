// SPDX-License-Identifier: MIT
// Departures, and who is admin after them (A3).
#include "unit/core/world.hpp"

namespace catbird::core {
namespace {

TEST(LeaveConvo, ends_the_membership_of_the_caller) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));

  const auto outcome = accept(convo, leave(bob, bob));

  EXPECT_FALSE(active(convo, bob));
  EXPECT_EQ(outcome.epoch, Epoch(0));
  EXPECT_EQ(outcome.seq, Seq(0));
  EXPECT_EQ(member(convo, bob)->left->seq, Seq(1));
  EXPECT_EQ(convo.last_seq(), Seq(1));
}

TEST(LeaveConvo, again_gets_the_first_answer_until_readded) {
  auto convo = with_members({bob});
  const auto first = accept(convo, leave(bob, bob, with_commit(0)));
  accept(convo, commit(alice, 1));

  const auto again = convo.decide(leave(bob, bob), later);

  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome, first);
  EXPECT_TRUE(again->events.empty());
}

TEST(LeaveConvo, after_being_readded_is_a_new_departure) {
  auto convo = with_members({bob});
  const auto first = accept(convo, leave(bob, bob, with_commit(0)));
  accept(convo, add(alice, {bob}, with_commit(1)));

  const auto second = accept(convo, leave(bob, bob, with_commit(2)), later);

  EXPECT_NE(second, first);
  EXPECT_EQ(second.epoch, Epoch(3));
  EXPECT_EQ(accept(convo, leave(bob, bob)), second);
}

TEST(LeaveConvo, without_a_commit_answers_a_second_leave_like_the_first) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  const auto first = accept(convo, leave(bob, bob));

  const auto again = accept(convo, leave(bob, bob), later);

  EXPECT_EQ(again.epoch, first.epoch);
  EXPECT_EQ(again.at, first.at);
}

TEST(LeaveConvo, by_a_stranger_is_refused) {
  const auto convo = with_members({bob});

  EXPECT_EQ(refusal(convo, leave(dave, dave)).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, leave(dave, bob)).code, Errc::not_member);
}

TEST(LeaveConvo, of_another_is_for_admins_and_the_creator) {
  auto convo = with_members({bob, carol});

  EXPECT_EQ(refusal(convo, leave(bob, carol)).code, Errc::not_admin);
  EXPECT_EQ(refusal(convo, leave(alice, dave)).code, Errc::not_member);
  accept(convo, leave(alice, carol));
  EXPECT_FALSE(active(convo, carol));
}

TEST(LeaveConvo, of_another_is_open_to_a_creator_who_is_no_longer_admin) {
  auto convo = with_members({bob, carol});
  accept(convo, leave(alice, alice));
  accept(convo, add(bob, {alice}));
  ASSERT_FALSE(member(convo, alice)->admin);

  accept(convo, leave(alice, carol));

  EXPECT_FALSE(active(convo, carol));
}

TEST(LeaveConvo, of_one_who_left_is_a_commit_without_a_roster_change) {
  auto convo = with_members({bob});
  accept(convo, leave(bob, bob));
  const auto departure = *member(convo, bob)->left;

  const auto outcome = accept(convo, leave(alice, bob, with_commit(0)), later);

  EXPECT_EQ(outcome.epoch, Epoch(1));
  EXPECT_EQ(*member(convo, bob)->left, departure);
}

TEST(Admins, last_one_leaving_hands_over_to_the_longest_standing_member) {
  auto convo = with_members({});
  accept(convo, add(alice, {dave}, with_commit(0)));
  accept(convo, add(alice, {bob}, with_commit(1)));

  accept(convo, leave(alice, alice));

  EXPECT_TRUE(member(convo, dave)->admin);
  EXPECT_FALSE(member(convo, bob)->admin);
  EXPECT_FALSE(member(convo, alice)->admin);
  EXPECT_TRUE(convo.decide(take_out(dave, {bob}), start));
}

TEST(Admins, of_equal_standing_are_taken_in_the_order_of_their_dids) {
  auto convo = with_members({carol, bob});

  accept(convo, leave(alice, alice));

  EXPECT_TRUE(member(convo, bob)->admin);
  EXPECT_FALSE(member(convo, carol)->admin);
}

TEST(Admins, do_not_inherit_from_a_member_that_is_not_the_last_admin) {
  auto convo = with_members({bob, carol});

  const auto decision = convo.decide(leave(bob, bob), start);

  EXPECT_TRUE(events_of<AdminPromoted>(decision).empty());
}

TEST(Admins, never_pass_to_one_who_departed) {
  auto convo = with_members({bob, carol});
  accept(convo, leave(bob, bob));

  accept(convo, leave(alice, alice));

  EXPECT_TRUE(member(convo, carol)->admin);
  EXPECT_FALSE(member(convo, bob)->admin);
}

TEST(Admins, may_all_be_gone_when_nobody_is_left) {
  auto convo = with_members({bob});
  accept(convo, leave(bob, bob));

  const auto decision = convo.decide(leave(alice, alice), start);

  EXPECT_TRUE(events_of<AdminPromoted>(decision).empty());
  EXPECT_EQ(events_of<MemberLeft>(decision).size(), 1U);
}

TEST(Admins, inherit_also_when_the_creator_takes_the_last_admin_out) {
  auto convo = with_members({bob, carol});
  accept(convo, leave(alice, alice));  // bob is admin
  accept(convo, add(bob, {alice}, with_commit(0)));

  accept(convo, leave(alice, bob));

  EXPECT_TRUE(member(convo, carol)->admin);
}

}  // namespace
}  // namespace catbird::core
