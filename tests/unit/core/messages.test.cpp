// SPDX-License-Identifier: MIT
// Messages, read marks, GroupInfo and what a reader may see.
#include "unit/core/world.hpp"

#include <string>

namespace catbird::core {
namespace {

TEST(SendMessage, gets_the_next_number_and_stays_in_the_epoch) {
  auto convo = with_members({bob});

  EXPECT_EQ(accept(convo, message(alice, "m1")).seq, Seq(1));
  EXPECT_EQ(accept(convo, message(bob, "m2")).seq, Seq(2));
  EXPECT_EQ(convo.epoch(), Epoch(0));
  EXPECT_EQ(convo.last_seq(), Seq(2));
}

TEST(SendMessage, stores_the_bytes_and_not_who_sent_them) {
  auto convo = with_members({bob});
  accept(convo, commit(alice, 0));

  const auto rows = events_of<RowAppended>(convo.decide(message(bob, "m1", 1), start));

  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].seq, Seq(2));
  EXPECT_EQ(rows[0].epoch, Epoch(1));
  EXPECT_EQ(rows[0].id, MsgId("m1"));
  EXPECT_EQ(rows[0].tag, tag_of(bob));
  EXPECT_EQ(rows[0].committer, Did());
  EXPECT_FALSE(rows[0].base.has_value());
  EXPECT_EQ(text_of(*rows[0].bytes), "ciphertext m1");
}

TEST(SendMessage, blurs_its_time_and_answers_the_blurred_one) {
  auto convo = with_members({bob});
  const Timestamp now(start.value + 1999);

  const auto decision = convo.decide(message(bob, "m1"), now);

  EXPECT_EQ(decision->outcome.at, start);
  EXPECT_EQ(events_of<RowAppended>(decision)[0].at, start);
}

TEST(SendMessage, is_for_members_only) {
  auto convo = with_members({bob});
  accept(convo, leave(bob, bob));

  EXPECT_EQ(refusal(convo, message(bob, "m1")).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, message(dave, "m1")).code, Errc::not_member);
  EXPECT_EQ(refusal(Conversation(), message(alice, "m1")).code, Errc::not_member);
}

TEST(SendMessage, of_another_epoch_is_told_where_the_server_is) {
  auto convo = with_members({bob});
  accept(convo, commit(alice, 0));
  accept(convo, commit(alice, 1));

  const auto old = refusal(convo, message(bob, "m1", 1));
  const auto early = refusal(convo, message(bob, "m1", 3));

  EXPECT_EQ(old.code, Errc::epoch_mismatch);
  EXPECT_EQ(old.clash->server_epoch, 2U);
  EXPECT_EQ(old.clash->client_epoch, 1U);
  EXPECT_EQ(early.code, Errc::epoch_mismatch);
  EXPECT_EQ(early.clash->client_epoch, 3U);
}

TEST(SendMessage, for_another_group_is_refused) {
  auto convo = with_members({bob});
  auto wrong = message(bob, "m1");
  std::get<SendMessage>(wrong.what).group_id = bytes("other");

  EXPECT_EQ(refusal(convo, wrong).code, Errc::invalid_request);
}

TEST(SendMessage, may_be_a_proposal_which_is_numbered_and_found_again) {
  auto convo = with_members({bob});
  auto proposal = message(bob, "p1");
  std::get<SendMessage>(proposal.what).kind = Kind::proposal;

  const auto first = accept(convo, proposal);

  EXPECT_EQ(first.seq, Seq(1));
  EXPECT_EQ(accept(convo, proposal, later), first);
  EXPECT_EQ(convo.epoch(), Epoch(0));
}

TEST(MarkRead, moves_forward_only_and_never_past_the_last_row) {
  auto convo = with_members({bob});
  for (int i = 0; i < 5; ++i) accept(convo, message(alice, "m" + std::to_string(i)));

  EXPECT_EQ(accept(convo, mark_read(bob, 3)).seq, Seq(3));
  EXPECT_EQ(accept(convo, mark_read(bob, 2)).seq, Seq(3));
  EXPECT_EQ(member(convo, bob)->read_seq, Seq(3));
  EXPECT_EQ(accept(convo, mark_read(bob, 99)).seq, Seq(5));
  EXPECT_EQ(member(convo, bob)->read_seq, Seq(5));
  EXPECT_EQ(member(convo, alice)->read_seq, Seq(0));
}

TEST(MarkRead, writes_nothing_when_nothing_moves) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  accept(convo, mark_read(bob, 1));

  EXPECT_TRUE(convo.decide(mark_read(bob, 1), start)->events.empty());
  EXPECT_TRUE(convo.decide(mark_read(bob, 7), start)->events.empty());
}

TEST(MarkRead, is_for_members_only) {
  auto convo = with_members({bob});
  accept(convo, leave(bob, bob));

  EXPECT_EQ(refusal(convo, mark_read(bob, 0)).code, Errc::not_member);
  EXPECT_EQ(refusal(convo, mark_read(dave, 0)).code, Errc::not_member);
}

Command update_info(const Did& caller, std::uint64_t epoch) {
  return command(caller, UpdateGroupInfo{info_part(epoch)});
}

TEST(UpdateGroupInfo, is_for_the_current_epoch_only) {
  auto convo = with_members({bob});
  accept(convo, commit(alice, 0));

  const auto stale = refusal(convo, update_info(bob, 0));
  const auto early = refusal(convo, update_info(bob, 2));
  EXPECT_EQ(stale.code, Errc::epoch_mismatch);
  EXPECT_EQ(stale.clash->server_epoch, 1U);
  EXPECT_EQ(early.code, Errc::invalid_group_info);
  EXPECT_FALSE(convo.state().group_info_epoch.has_value());

  EXPECT_EQ(accept(convo, update_info(bob, 1)).seq, Seq(0));
  EXPECT_EQ(convo.state().group_info_epoch, Epoch(1));
}

TEST(UpdateGroupInfo, is_for_members_and_for_this_group) {
  auto convo = with_members({bob});
  accept(convo, leave(bob, bob));
  auto wrong = update_info(alice, 0);
  std::get<UpdateGroupInfo>(wrong.what).group_info.group_id = bytes("other");

  EXPECT_EQ(refusal(convo, update_info(bob, 0)).code, Errc::unauthorized);
  EXPECT_EQ(refusal(convo, update_info(dave, 0)).code, Errc::unauthorized);
  EXPECT_EQ(refusal(convo, wrong).code, Errc::invalid_group_info);
}

TEST(Access, of_a_first_member_is_everything_so_far) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  accept(convo, commit(alice, 0));
  accept(convo, mark_read(bob, 1));

  const auto access = convo.access(bob);

  ASSERT_TRUE(access);
  EXPECT_TRUE(access->active);
  EXPECT_EQ(access->after, Seq(0));
  EXPECT_EQ(access->until, Seq(2));
  EXPECT_EQ(access->last_seq, Seq(2));
  EXPECT_EQ(access->read_seq, Seq(1));
  EXPECT_EQ(access->epoch, Epoch(1));
}

TEST(Access, is_the_same_refusal_for_a_stranger_and_for_no_conversation) {
  const auto convo = with_members({bob});

  const auto stranger = convo.access(dave);
  const auto nothing = Conversation().access(alice);

  EXPECT_EQ(stranger.error().code, Errc::not_member);
  EXPECT_EQ(nothing.error().code, Errc::not_member);
  EXPECT_EQ(stranger.error().detail, nothing.error().detail);
}

TEST(Access, of_an_added_member_begins_after_the_commit_that_added_it) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  accept(convo, add(alice, {carol}, with_commit(0)));
  accept(convo, message(alice, "m2", 1));

  const auto access = convo.access(carol);

  EXPECT_EQ(access->after, Seq(2));
  EXPECT_EQ(access->until, Seq(3));
  EXPECT_EQ(access->read_seq, Seq(2));  // nothing it may not read is unread
}

TEST(Access, of_a_removed_member_ends_with_the_removing_commit) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  accept(convo, take_out(alice, {bob}, with_commit(0)));
  accept(convo, message(alice, "m2", 1));

  const auto access = convo.access(bob);

  ASSERT_TRUE(access);
  EXPECT_FALSE(access->active);
  EXPECT_EQ(access->after, Seq(0));
  EXPECT_EQ(access->until, Seq(2));
}

TEST(Access, of_one_that_left_without_a_commit_ends_with_the_last_row_of_then) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  accept(convo, leave(bob, bob));
  accept(convo, message(alice, "m2"));

  EXPECT_EQ(convo.access(bob)->until, Seq(1));
}

TEST(Access, of_a_readded_member_begins_with_its_new_time) {
  auto convo = with_members({bob});
  accept(convo, message(alice, "m1"));
  accept(convo, mark_read(bob, 1));
  accept(convo, take_out(alice, {bob}, with_commit(0)));
  accept(convo, message(alice, "secret", 1));
  accept(convo, add(alice, {bob}, with_commit(1)));
  accept(convo, message(alice, "m2", 2));

  const auto access = convo.access(bob);

  EXPECT_TRUE(access->active);
  EXPECT_EQ(access->after, Seq(4));
  EXPECT_EQ(access->until, Seq(5));
  EXPECT_EQ(access->read_seq, Seq(4));
}

}  // namespace
}  // namespace catbird::core
