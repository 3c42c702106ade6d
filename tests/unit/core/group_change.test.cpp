// SPDX-License-Identifier: MIT
// The epoch rule (O1), and adds, removals and external commits with their parts.
#include "core/limits.hpp"
#include "unit/core/world.hpp"

#include <string>

namespace catbird::core {
namespace {

TEST(Epochs, end_with_exactly_one_commit_and_the_loser_is_told) {
  auto convo = with_members({bob}, 3);

  const auto won = accept(convo, commit(alice, 3, "winner"));
  const auto lost = refusal(convo, commit(bob, 3, "loser"));

  EXPECT_EQ(won.epoch, Epoch(4));
  EXPECT_EQ(won.seq, Seq(1));
  EXPECT_EQ(lost.code, Errc::epoch_mismatch);
  EXPECT_EQ(lost.clash->server_epoch, 4U);
  EXPECT_EQ(lost.clash->client_epoch, 3U);
  EXPECT_EQ(accept(convo, commit(bob, 4, "rebuilt")).epoch, Epoch(5));
}

TEST(Epochs, refuse_a_commit_from_the_future_too) {
  const auto convo = with_members({bob});

  EXPECT_EQ(refusal(convo, commit(bob, 1)).code, Errc::epoch_mismatch);
}

TEST(Epochs, are_those_of_this_group) {
  const auto convo = with_members({bob});
  auto parts = with_commit(0);
  parts.commit->group_id = bytes("other");

  EXPECT_EQ(refusal(convo, add(bob, {}, parts)).code, Errc::invalid_commit);
}

TEST(Epochs, hold_for_every_kind_of_commit) {
  auto convo = with_members({bob, carol});
  accept(convo, commit(alice, 0));

  EXPECT_EQ(refusal(convo, add(alice, {dave}, with_commit(0))).code, Errc::epoch_mismatch);
  EXPECT_EQ(refusal(convo, take_out(alice, {bob}, with_commit(0))).code, Errc::epoch_mismatch);
  EXPECT_EQ(refusal(convo, leave(bob, bob, with_commit(0))).code, Errc::epoch_mismatch);
  EXPECT_EQ(refusal(convo, command(bob, ExternalCommit{with_commit(0)})).code,
            Errc::epoch_mismatch);
}

TEST(Commits, are_rows_that_lead_to_the_next_epoch_and_name_their_committer) {
  const auto convo = with_members({bob}, 7);

  const auto decision = convo.decide(commit(bob, 7, "text"), Timestamp(start.value + 1));

  const auto rows = events_of<RowAppended>(decision);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].kind, Kind::commit);
  EXPECT_EQ(rows[0].epoch, Epoch(8));
  EXPECT_EQ(rows[0].base, Epoch(7));
  EXPECT_EQ(rows[0].committer, bob);
  EXPECT_EQ(rows[0].tag, tag_of(bob));
  EXPECT_EQ(text_of(*rows[0].bytes), "text on 7");
  EXPECT_EQ(rows[0].at, decision->outcome.at);
}

TEST(Commits, have_an_id_made_of_their_bytes) {
  const auto convo = with_members({bob});
  const auto id = [&](const Command& command) {
    return events_of<RowAppended>(convo.decide(command, start))[0].id.value;
  };

  EXPECT_EQ(id(commit(alice, 0, "a")), id(commit(bob, 0, "a")));
  EXPECT_NE(id(commit(alice, 0, "a")), id(commit(alice, 0, "b")));
  EXPECT_EQ(id(commit(alice, 0)).size(), 32U);
}

TEST(GroupInfo, beside_a_commit_is_of_the_epoch_it_leads_to) {
  auto convo = with_members({bob}, 2);
  auto parts = with_commit(2);
  parts.group_info = info_part(2);
  EXPECT_EQ(refusal(convo, add(bob, {}, parts)).code, Errc::invalid_group_info);
  parts.group_info = info_part(3);
  parts.group_info->group_id = bytes("other");
  EXPECT_EQ(refusal(convo, add(bob, {}, parts)).code, Errc::invalid_group_info);

  parts.group_info = info_part(3);
  accept(convo, add(bob, {}, parts));

  EXPECT_EQ(convo.state().group_info_epoch, Epoch(3));
}

TEST(GroupInfo, beside_no_commit_is_of_the_current_epoch) {
  auto convo = with_members({bob}, 2);
  GroupParts parts;
  parts.group_info = info_part(3);
  EXPECT_EQ(refusal(convo, add(bob, {carol}, parts)).code, Errc::invalid_group_info);

  parts.group_info = info_part(2);
  EXPECT_EQ(accept(convo, add(bob, {carol}, parts)).epoch, Epoch(2));
}

TEST(AddMembers, without_a_commit_changes_the_roster_and_not_the_epoch) {
  auto convo = with_members({bob});

  const auto outcome = accept(convo, add(bob, {dave, carol, dave}));

  EXPECT_EQ(outcome.seq, Seq(0));
  EXPECT_EQ(outcome.epoch, Epoch(0));
  EXPECT_TRUE(active(convo, carol));
  EXPECT_TRUE(active(convo, dave));
  EXPECT_FALSE(member(convo, carol)->admin);
  EXPECT_EQ(convo.last_seq(), Seq(0));
}

TEST(AddMembers, is_for_members_and_for_who_is_not_one) {
  auto convo = with_members({bob, carol});
  accept(convo, leave(carol, carol));

  EXPECT_EQ(refusal(convo, add(dave, {dave})).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, add(carol, {carol})).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, add(alice, {bob})).code, Errc::already_member);
  EXPECT_EQ(refusal(convo, add(alice, {dave, alice})).code, Errc::already_member);
  EXPECT_FALSE(active(convo, dave));
}

TEST(AddMembers, with_nobody_needs_a_commit) {
  const auto convo = with_members({bob});

  EXPECT_EQ(refusal(convo, add(bob, {})).code, Errc::invalid_request);
}

TEST(AddMembers, makes_a_departed_member_a_plain_member_again) {
  auto convo = with_members({bob});
  accept(convo, add(alice, {carol}));
  accept(convo, leave(alice, alice));  // bob or carol becomes admin
  accept(convo, add(bob, {alice}, with_commit(0)));

  EXPECT_TRUE(active(convo, alice));
  EXPECT_FALSE(member(convo, alice)->admin);
  EXPECT_EQ(member(convo, alice)->join_seq, Seq(1));
}

TEST(AddMembers, is_bounded_by_active_members) {
  std::vector<Did> others;
  for (std::size_t i = 0; i + 2 < members_max; ++i) {
    others.emplace_back("did:plc:" + std::to_string(i));
  }
  auto convo = with_members(others);

  EXPECT_EQ(refusal(convo, add(alice, {bob, carol})).code, Errc::too_many_members);
  accept(convo, add(alice, {bob}));
  EXPECT_EQ(refusal(convo, add(alice, {carol})).code, Errc::too_many_members);
  accept(convo, take_out(alice, {bob}));
  accept(convo, add(alice, {carol}));
}

GroupParts welcoming(std::uint64_t base, std::vector<Recipient> recipients) {
  auto parts = with_commit(base);
  parts.welcome = WelcomePart{blob("welcome"), std::move(recipients)};
  return parts;
}

TEST(AddMembers, of_a_new_device_needs_a_commit_and_a_matched_package) {
  auto convo = with_members({bob});
  const Recipient matched{bob, DeviceId("tablet"), bytes("ref")};
  const Recipient declared{bob, DeviceId("tablet"), {}};
  auto uncommitted = welcoming(0, {matched});
  uncommitted.commit.reset();

  EXPECT_EQ(refusal(convo, add(alice, {bob}, uncommitted)).code, Errc::already_member);
  EXPECT_EQ(refusal(convo, add(alice, {bob}, welcoming(0, {declared}))).code, Errc::already_member);
  accept(convo, add(alice, {bob}, welcoming(0, {matched})));

  EXPECT_EQ(member(convo, bob)->devices, std::vector<DeviceId>{DeviceId("tablet")});
  EXPECT_EQ(member(convo, bob)->join_seq, Seq(0));  // its user never left
}

TEST(Welcomes, name_the_device_of_a_matched_package_only) {
  auto convo = with_members({bob});

  accept(convo, add(alice, {carol, dave},
                    welcoming(0, {{carol, DeviceId("phone"), bytes("ref")},
                                  {carol, DeviceId(""), bytes("ref2")},
                                  {dave, DeviceId("claimed"), {}}})));

  EXPECT_EQ(member(convo, carol)->devices, std::vector<DeviceId>{DeviceId("phone")});
  EXPECT_TRUE(member(convo, dave)->devices.empty());
}

TEST(Welcomes, are_stored_once_with_the_epoch_the_commit_leads_to) {
  const auto convo = with_members({bob}, 4);

  const auto stored = events_of<WelcomeStored>(
      convo.decide(add(alice, {carol}, welcoming(4, {{carol, DeviceId(), {}}})), start));

  ASSERT_EQ(stored.size(), 1U);
  EXPECT_EQ(stored[0].epoch, Epoch(5));
  ASSERT_EQ(stored[0].welcome.recipients.size(), 1U);
  EXPECT_EQ(stored[0].welcome.recipients[0].user, carol);
}

TEST(Welcomes, are_for_who_is_added_or_stays) {
  auto convo = with_members({bob, carol});
  const auto to = [](const Did& user) {
    return welcoming(0, {{user, DeviceId("d"), bytes("ref")}});
  };

  EXPECT_EQ(refusal(convo, add(alice, {dave}, to(Did("did:plc:eve")))).code, Errc::invalid_request);
  EXPECT_EQ(refusal(convo, take_out(alice, {bob}, to(bob))).code, Errc::invalid_request);
  EXPECT_TRUE(convo.decide(add(alice, {dave}, to(carol)), start));
  EXPECT_TRUE(convo.decide(take_out(alice, {bob}, to(carol)), start));
  accept(convo, leave(carol, carol));
  EXPECT_EQ(refusal(convo, add(alice, {dave}, to(carol))).code, Errc::invalid_request);
}

TEST(KeyPackages, must_be_reserved_to_the_caller_and_are_used_up_together) {
  const auto convo = with_members({bob});
  auto parts = with_commit(0);
  parts.key_packages = {{bytes("a"), true}, {bytes("b"), false}};
  EXPECT_EQ(refusal(convo, add(bob, {carol}, parts)).code, Errc::key_package_not_found);
  parts.key_packages[1].reserved_to_caller = true;

  const auto consumed =
      events_of<KeyPackagesConsumed>(convo.decide(add(bob, {carol}, parts), start));

  ASSERT_EQ(consumed.size(), 1U);
  EXPECT_EQ(consumed[0].user, bob);
  EXPECT_EQ(consumed[0].refs, (std::vector<Bytes>{bytes("a"), bytes("b")}));
}

TEST(KeyPackages, of_a_stale_commit_are_not_looked_at) {
  const auto convo = with_members({bob}, 1);
  auto parts = with_commit(0);
  parts.key_packages = {{bytes("a"), false}};

  EXPECT_EQ(refusal(convo, add(bob, {carol}, parts)).code, Errc::epoch_mismatch);
}

TEST(RemoveMembers, is_for_admins) {
  auto convo = with_members({bob, carol});
  accept(convo, leave(carol, carol));

  EXPECT_EQ(refusal(convo, take_out(bob, {alice})).code, Errc::not_admin);
  EXPECT_EQ(refusal(convo, take_out(carol, {alice})).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, take_out(dave, {alice})).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, take_out(alice, {alice})).code, Errc::cannot_remove_self);
  EXPECT_EQ(refusal(convo, take_out(alice, {bob, alice})).code, Errc::cannot_remove_self);
  EXPECT_EQ(refusal(convo, take_out(alice, {})).code, Errc::invalid_request);
  EXPECT_EQ(refusal(convo, take_out(alice, {dave})).code, Errc::not_member);
}

TEST(RemoveMembers, ends_every_named_membership_at_the_commit) {
  auto convo = with_members({bob, carol});
  accept(convo, message(alice, "m1"));

  const auto outcome = accept(convo, take_out(alice, {carol, bob}, with_commit(0)));

  EXPECT_EQ(outcome.seq, Seq(2));
  EXPECT_EQ(outcome.epoch, Epoch(1));
  for (const auto& user : {bob, carol}) {
    EXPECT_FALSE(active(convo, user));
    EXPECT_EQ(member(convo, user)->left->seq, Seq(2));
    EXPECT_EQ(member(convo, user)->left->epoch, Epoch(1));
  }
}

TEST(RemoveMembers, of_one_who_left_takes_it_out_of_the_group_and_keeps_its_window) {
  auto convo = with_members({bob});
  accept(convo, leave(bob, bob));
  accept(convo, message(alice, "m1"));

  const auto outcome = accept(convo, take_out(alice, {bob}, with_commit(0)));

  EXPECT_EQ(outcome.epoch, Epoch(1));
  EXPECT_EQ(member(convo, bob)->left->seq, Seq(0));
  EXPECT_EQ(convo.access(bob)->until, Seq(0));
}

TEST(RemoveMembers, forgets_the_devices_of_who_goes) {
  auto convo = with_members({bob});
  accept(convo, add(alice, {carol}, welcoming(0, {{carol, DeviceId("phone"), bytes("ref")}})));

  accept(convo, take_out(alice, {carol}));

  EXPECT_TRUE(member(convo, carol)->devices.empty());
}

TEST(ExternalCommit, is_for_who_is_on_the_roster) {
  auto convo = with_members({bob, carol});
  accept(convo, leave(carol, carol));
  const auto join = [](const Did& user) { return command(user, ExternalCommit{with_commit(0)}); };

  EXPECT_EQ(refusal(convo, join(dave)).code, Errc::unauthorized);
  EXPECT_EQ(refusal(convo, join(carol)).code, Errc::unauthorized);
  EXPECT_EQ(accept(convo, join(bob)).epoch, Epoch(1));
}

TEST(ExternalCommit, brings_in_the_callers_device_and_no_new_time) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  auto join = command(bob, ExternalCommit{with_commit(0)});
  join.caller.device = DeviceId("new");

  accept(convo, join);
  accept(convo, command(alice, ExternalCommit{with_commit(1)}));

  EXPECT_EQ(member(convo, bob)->devices, std::vector<DeviceId>{DeviceId("new")});
  EXPECT_EQ(member(convo, bob)->join_seq, Seq(0));
  EXPECT_TRUE(member(convo, alice)->devices.empty());
  EXPECT_TRUE(member(convo, alice)->admin);
}

}  // namespace
}  // namespace catbird::core
