// SPDX-License-Identifier: MIT
// Roles, the policy and what it forbids, warnings, calls for help, and the notices of all of it.
#include "unit/core/world.hpp"

#include <gmock/gmock.h>

namespace catbird::core {
namespace {

using testing::ElementsAre;

Command role(const Did& caller, const Did& target, Role role, bool grant) {
  return command(caller, ChangeRole{.target = target, .role = role, .grant = grant});
}
Command make_admin(const Did& caller, const Did& target) {
  return role(caller, target, Role::admin, true);
}
Command end_admin(const Did& caller, const Did& target) {
  return role(caller, target, Role::admin, false);
}
Command make_moderator(const Did& caller, const Did& target) {
  return role(caller, target, Role::moderator, true);
}
Command end_moderator(const Did& caller, const Did& target) {
  return role(caller, target, Role::moderator, false);
}
ChangePolicy changed(void (*set)(ChangePolicy&)) {
  ChangePolicy change;
  set(change);
  return change;
}
Command warn(const Did& caller, const Did& target) {
  return command(caller, WarnMember{.target = target, .id = "w1", .reason = "rude"});
}
Command ask_for(const Did& caller, AskForHelp::With with) {
  return command(caller, AskForHelp{.with = with, .id = "r1"});
}

std::vector<NoticeKind> kinds(const Result<Decision>& decision) {
  std::vector<NoticeKind> found;
  for (const auto& one : events_of<Noted>(decision)) found.push_back(one.kind);
  return found;
}

TEST(Roles, are_given_and_taken_by_admins_only) {
  auto convo = with_members({bob, carol});
  EXPECT_EQ(refusal(convo, make_admin(bob, carol)).code, Errc::not_admin);
  EXPECT_EQ(refusal(convo, make_moderator(bob, carol)).code, Errc::not_admin);
  EXPECT_EQ(refusal(convo, make_admin(dave, bob)).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, make_admin(alice, dave)).code, Errc::not_member);

  accept(convo, make_admin(alice, bob));
  EXPECT_TRUE(member(convo, bob)->admin);
  EXPECT_EQ(refusal(convo, make_admin(alice, bob)).code, Errc::already_admin);
  accept(convo, end_admin(bob, alice));
  EXPECT_FALSE(member(convo, alice)->admin);
  EXPECT_EQ(refusal(convo, end_admin(bob, alice)).code, Errc::not_admin_target);
  EXPECT_EQ(refusal(convo, end_admin(alice, bob)).code, Errc::not_admin);
}

TEST(Roles, keep_one_admin) {
  auto convo = with_members({bob});
  EXPECT_EQ(refusal(convo, end_admin(alice, alice)).code, Errc::last_admin);
  accept(convo, make_admin(alice, bob));
  accept(convo, end_admin(alice, alice));
  EXPECT_EQ(refusal(convo, end_admin(bob, bob)).code, Errc::last_admin);
}

TEST(Roles, of_moderators_end_with_promotion_departure_or_by_themselves) {
  auto convo = with_members({bob, carol});
  accept(convo, make_moderator(alice, bob));
  EXPECT_TRUE(member(convo, bob)->moderator);
  EXPECT_EQ(refusal(convo, make_moderator(alice, bob)).code, Errc::already_moderator);
  EXPECT_EQ(refusal(convo, make_moderator(alice, alice)).code, Errc::is_admin);
  EXPECT_EQ(refusal(convo, end_moderator(alice, carol)).code, Errc::not_moderator);
  accept(convo, end_moderator(bob, bob));
  EXPECT_FALSE(member(convo, bob)->moderator);

  accept(convo, make_moderator(alice, bob));
  accept(convo, make_admin(alice, bob));
  EXPECT_FALSE(member(convo, bob)->moderator);

  accept(convo, make_moderator(alice, carol));
  accept(convo, leave(carol, carol));
  EXPECT_FALSE(member(convo, carol)->moderator);
  accept(convo, add(alice, {carol}));
  EXPECT_FALSE(member(convo, carol)->moderator) << "not even after coming back";
}

TEST(Roles, of_a_moderator_who_inherits_become_an_admins) {
  auto convo = with_members({bob});
  accept(convo, make_moderator(alice, bob));
  const auto decision = convo.decide(leave(alice, alice), start);
  EXPECT_THAT(kinds(decision), ElementsAre(NoticeKind::left, NoticeKind::admin_added));
  EXPECT_EQ(events_of<ModeratorSet>(decision).size(), 1U);
}

TEST(Policies, are_the_admins_to_change_field_by_field) {
  auto convo = with_members({bob});
  EXPECT_EQ(
      refusal(convo, command(bob, changed([](ChangePolicy& to) { to.allow_invites = false; })))
          .code,
      Errc::unauthorized);
  EXPECT_EQ(
      refusal(convo, command(dave, changed([](ChangePolicy& to) { to.allow_invites = false; })))
          .code,
      Errc::not_member);
  EXPECT_EQ(refusal(convo, command(alice, ChangePolicy{})).code, Errc::no_fields);
  accept(convo, command(alice, changed([](ChangePolicy& to) {
                          to.allow_invites = false;
                          to.max_members = 2;
                        })));
  const Policy expected{.allow_invites = false, .max_members = 2};
  EXPECT_EQ(convo.state().policy, expected);
  accept(convo, command(alice, changed([](ChangePolicy& to) { to.max_members = 3; })));
  accept(convo, add(alice, {carol}));
  EXPECT_EQ(
      refusal(convo, command(alice, changed([](ChangePolicy& to) { to.max_members = 2; }))).code,
      Errc::invalid_max_members);
}

TEST(Policies, bound_the_number_of_members) {
  auto convo = with_members({bob});
  accept(convo, command(alice, changed([](ChangePolicy& to) { to.max_members = 2; })));
  EXPECT_EQ(refusal(convo, add(alice, {carol})).code, Errc::too_many_members);
  accept(convo, commit(alice, 0));
  accept(convo, leave(bob, bob));
  accept(convo, add(alice, {carol}));
}

TEST(Policies, say_who_adds) {
  for (const auto& closed : {changed([](ChangePolicy& to) { to.allow_member_add = false; }),
                             changed([](ChangePolicy& to) { to.require_admin_approval = true; })}) {
    auto convo = with_members({bob});
    accept(convo, add(bob, {carol}));
    accept(convo, command(alice, closed));
    EXPECT_EQ(refusal(convo, add(bob, {dave})).code, Errc::not_admin);
    accept(convo, commit(bob, 0));  // a key update adds nobody
    accept(convo, add(alice, {dave}));
  }
}

TEST(Policies, say_who_removes_and_never_an_admin) {
  auto convo = with_members({bob, carol});
  EXPECT_EQ(refusal(convo, take_out(bob, {carol})).code, Errc::not_admin);
  accept(convo, command(alice, changed([](ChangePolicy& to) { to.allow_member_remove = true; })));
  EXPECT_EQ(refusal(convo, take_out(bob, {alice})).code, Errc::not_admin);
  EXPECT_EQ(refusal(convo, take_out(bob, {carol, alice})).code, Errc::not_admin);
  accept(convo, take_out(bob, {carol}));
  EXPECT_FALSE(active(convo, carol));
}

TEST(Warnings, are_given_by_admins_and_moderators_to_plain_members) {
  auto convo = with_members({bob, carol});
  EXPECT_EQ(refusal(convo, warn(bob, carol)).code, Errc::not_admin);
  EXPECT_EQ(refusal(convo, warn(alice, dave)).code, Errc::target_not_member);
  EXPECT_EQ(refusal(convo, warn(dave, bob)).code, Errc::not_member);
  accept(convo, make_moderator(alice, bob));
  EXPECT_EQ(refusal(convo, warn(bob, alice)).code, Errc::cannot_warn_admin);
  const auto decision = convo.decide(warn(bob, carol), later);
  const auto notices = events_of<Noted>(decision);
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_EQ(notices[0].kind, NoticeKind::warned);
  EXPECT_EQ(notices[0].user, carol);
  EXPECT_EQ(notices[0].actor, bob);
  EXPECT_EQ(notices[0].text, "rude");
  EXPECT_EQ(decision->outcome.detail, notices[0].reference);
}

TEST(Help, is_asked_of_those_who_are_there) {
  using enum AskForHelp::With;
  auto convo = with_members({bob, carol});
  EXPECT_EQ(accept(convo, ask_for(bob, group_info)).seq, Seq(2)) << "how many others";
  EXPECT_EQ(refusal(convo, ask_for(dave, group_info)).code, Errc::unauthorized);
  EXPECT_EQ(refusal(convo, ask_for(dave, readdition)).code, Errc::unauthorized);
  accept(convo, leave(bob, bob));
  EXPECT_EQ(refusal(convo, ask_for(bob, group_info)).code, Errc::unauthorized);
  EXPECT_EQ(accept(convo, ask_for(bob, readdition)).detail, "r1") << "who left may ask too";
  accept(convo, leave(carol, carol));
  EXPECT_EQ(refusal(convo, ask_for(alice, readdition)).code, Errc::no_active_members);
}

TEST(Notices, say_who_came_and_went_with_the_numbers_after_it) {
  auto convo = with_members({bob}, 4);
  const auto added = convo.decide(add(bob, {carol}, with_commit(4)), start);
  const auto joined = events_of<Noted>(added);
  ASSERT_EQ(joined.size(), 1U);
  EXPECT_EQ(joined[0].kind, NoticeKind::joined);
  EXPECT_EQ(joined[0].user, carol);
  EXPECT_EQ(joined[0].actor, bob);
  EXPECT_EQ(joined[0].seq, Seq(1));
  EXPECT_EQ(joined[0].epoch, Epoch(5));
  for (const auto& event : added->events) convo.apply(event);

  const auto removed = convo.decide(take_out(alice, {bob, carol}), start);
  EXPECT_THAT(kinds(removed), ElementsAre(NoticeKind::removed, NoticeKind::removed));
  EXPECT_THAT(kinds(convo.decide(leave(bob, bob), start)), ElementsAre(NoticeKind::left));
  EXPECT_TRUE(kinds(convo.decide(commit(alice, 5), start)).empty());
}

TEST(Notices, of_a_new_conversation_name_everyone_but_its_creator) {
  const Conversation none;
  const auto decision = none.decide(create({bob, carol}, alice, 7), start);
  const auto joined = events_of<Noted>(decision);
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_EQ(joined[0].user, bob);
  EXPECT_EQ(joined[1].user, carol);
  EXPECT_EQ(joined[0].epoch, Epoch(7));
}

TEST(Notices, are_given_once_for_a_retry) {
  auto convo = with_members({bob});
  const auto promote = keyed(make_admin(alice, bob), "key");
  const auto first = accept(convo, promote);
  const auto again = convo.decide(promote, later);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->events.empty());
  EXPECT_EQ(again->outcome, first);
}

}  // namespace
}  // namespace catbird::core
