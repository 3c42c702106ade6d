// SPDX-License-Identifier: MIT
// Notices in the log, roles and policy: stored with what they belong to, in one order with the
// rows.
#include "contract/storage/fixture.hpp"
#include "storage/tables/conversations.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using core::NoticeKind;
using testing::ElementsAre;

class Notices : public StorageContract {
 protected:
  core::Noted noted(const Script& script, NoticeKind kind, const core::Did& user) {
    return {.kind = kind,
            .user = user,
            .actor = alice,
            .device = core::DeviceId("phone"),
            .reference = "r1",
            .text = "words",
            .seq = script.last_seq,
            .epoch = script.epoch,
            .at = start};
  }
  std::vector<NoticeRecord> all(std::uint64_t above = 0) {
    auto rows = select<NoticeRecord>(
        reader().tables(),
        {.where = {where("position", Filter::Op::above, above)}, .order = "position"});
    EXPECT_TRUE(rows) << rows.error().detail;
    return rows ? *rows : std::vector<NoticeRecord>{};
  }
  std::vector<std::uint64_t> positions() {
    std::vector<std::uint64_t> out;
    for (const auto& one : all()) out.push_back(one.position);
    return out;
  }
  UserResult note(const core::ConvoId& convo, const core::Noted& noted, bool fails = false) {
    const UserJob job{[&](UserWriter& users) -> Result<void> {
      auto done = users.note(convo, noted);
      if (!done) return std::unexpected(done.error());
      if (fails) return fail(Errc::not_found);
      return {};
    }};
    return commit({}, {job}).jobs.at(0);
  }
};
INSTANTIATE_TEST_SUITE_P(Backend, Notices, testing::ValuesIn(all_backends()), case_name);

TEST_P(Notices, stand_in_the_log_behind_the_rows_of_their_set) {
  Script convo("c1");
  write(convo, convo.create());
  const auto first = write(convo, convo.message("m1")).first_position;
  auto set = convo.commit("k1");
  set.events.emplace_back(noted(convo, NoticeKind::joined, carol));
  set.events.emplace_back(noted(convo, NoticeKind::removed, bob));
  EXPECT_EQ(write(convo, set).first_position, first + 1);
  EXPECT_THAT(positions(), ElementsAre(first + 2, first + 3));
  EXPECT_EQ(*reader().last_position(), first + 3);
  const auto alone = write(convo, convo.set({noted(convo, NoticeKind::warned, bob)}));
  EXPECT_EQ(alone.first_position, first + 4);
  EXPECT_EQ(write(convo, convo.message("m2")).first_position, first + 5);
  reopen();
  EXPECT_EQ(*reader().last_position(), first + 5);
  const auto kept = all(first + 3);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].convo, convo.id);
  EXPECT_EQ(kept[0].kind, NoticeKind::warned);
  EXPECT_EQ(kept[0].words, "words");
  EXPECT_EQ(rows(convo).size(), 3U) << "a page has rows only";
}

TEST_P(Notices, of_jobs_take_the_numbers_as_they_are_and_are_told) {
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.commit("k1"));
  auto asked = noted(convo, NoticeKind::new_device, bob);
  asked.seq = core::Seq(99);
  const auto done = note(convo.id, asked);
  ASSERT_EQ(done.status, CommitStatus::committed);
  ASSERT_EQ(done.notices.size(), 1U);
  EXPECT_EQ(done.notices[0].convo, convo.id);
  EXPECT_EQ(done.notices[0].noted.seq, core::Seq(1));
  EXPECT_EQ(done.notices[0].noted.epoch, core::Epoch(1));
  ASSERT_EQ(all().size(), 1U);
  EXPECT_EQ(all()[0].position, done.notices[0].position);
  EXPECT_EQ(*reader().last_position(), done.notices[0].position);
  EXPECT_EQ(all()[0].seq, core::Seq(1));
  EXPECT_GT(write(convo, convo.message("m1")).first_position, done.notices[0].position);
}

TEST_P(Notices, of_what_was_refused_do_not_exist) {
  Script convo("c1");
  write(convo, convo.create());
  EXPECT_EQ(note(convo.id, noted(convo, NoticeKind::new_device, bob), true).status,
            CommitStatus::rejected);
  const auto none = note(core::ConvoId("c2"), noted(convo, NoticeKind::new_device, bob));
  EXPECT_EQ(none.status, CommitStatus::committed);
  EXPECT_TRUE(none.notices.empty());
  auto stale = convo.set({noted(convo, NoticeKind::warned, bob)});
  stale.version = core::Version(stale.version.value + 1);
  EXPECT_EQ(commit({stale}).sets.at(0).status, CommitStatus::fenced);
  EXPECT_TRUE(all().empty());
  auto wrong_order = convo.set({noted(convo, NoticeKind::warned, bob)});
  wrong_order.events.push_back(convo.row(core::Kind::app, "m1"));
  wrong_order.new_last_seq = core::Seq(1);
  EXPECT_EQ(commit({wrong_order}).sets.at(0).status, CommitStatus::rejected);
  EXPECT_TRUE(all().empty());
}

TEST_P(Notices, share_a_batch_with_other_conversations_and_jobs) {
  Script one("c1");
  Script two("c2");
  write(one, one.create());
  write(two, two.create());
  auto with_notice = two.commit("k1");
  with_notice.events.emplace_back(noted(two, NoticeKind::joined, carol));
  const auto asked = noted(one, NoticeKind::new_device, bob);
  const UserJob job{[&](UserWriter& users) -> Result<void> {
    auto done = users.note(one.id, asked);
    if (!done) return std::unexpected(done.error());
    return {};
  }};
  const auto result = commit({one.message("m1"), with_notice}, {job});
  ASSERT_EQ(result.sets.at(0).status, CommitStatus::committed);
  ASSERT_EQ(result.sets.at(1).status, CommitStatus::committed);
  ASSERT_EQ(result.jobs.at(0).status, CommitStatus::committed);
  EXPECT_THAT(positions(),
              ElementsAre(result.sets[1].first_position + 1, result.jobs[0].notices[0].position));
}

TEST_P(Notices, come_with_roles_and_policy_that_a_load_gives_back) {
  Script convo("c1");
  write(convo, convo.create({bob, carol}));
  EXPECT_EQ(reader().load(convo.id)->state.policy, core::Policy{});
  const core::Policy policy{.allow_invites = false,
                            .admin_only_invites = false,
                            .allow_member_add = false,
                            .allow_member_remove = true,
                            .require_admin_approval = true,
                            .max_members = 17};
  write(convo,
        convo.set({core::PolicySet{policy, alice, after(1)},
                   core::ModeratorSet{bob, true, after(1)}, core::AdminPromoted{carol, after(1)}}));
  write(convo, convo.set({core::AdminDemoted{carol, after(2)}}));
  reopen();
  const auto state = reader().load(convo.id)->state;
  EXPECT_EQ(state.policy, policy);
  EXPECT_TRUE(state.members.find(bob)->moderator);
  EXPECT_FALSE(state.members.find(carol)->moderator);
  EXPECT_FALSE(state.members.find(carol)->admin);
  write(convo, convo.set({core::ModeratorSet{bob, false, after(3)},
                          core::MemberLeft{bob, core::Seq(0), core::Epoch(0), after(3)}}));
  EXPECT_FALSE(reader().load(convo.id)->state.members.find(bob)->moderator);
  EXPECT_TRUE(select<ModeratorRecord>(reader().tables(), {})->empty());
}

}  // namespace
}  // namespace catbird::storage
