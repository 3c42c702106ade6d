// SPDX-License-Identifier: MIT
// Listings: complete or an error, and what is unread (DECISIONS 5; reliability U1).
#include "contract/storage/fixture.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Convos : public StorageContract {
 protected:
  ConvoQuery of(const core::Did& user) {
    ConvoQuery query;
    query.user = user;
    query.tag = [user](const core::ConvoId&) { return tag_of(user); };
    return query;
  }
  ConvoPage list(const ConvoQuery& query) { return *reader().convos(query); }
  std::uint64_t unread(const core::Did& user) { return list(of(user)).convos.at(0).unread; }
  std::vector<std::string> names(const ConvoPage& page) {
    std::vector<std::string> out;
    for (const auto& view : page.convos) out.push_back(view.id.value);
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Backend, Convos, testing::ValuesIn(all_backends()), case_name);

TEST_P(Convos, a_view_has_all_that_was_written) {
  Script convo("c1");
  write(convo, convo.create({bob, carol}, core::Epoch(1)));
  write(convo, convo.set({core::DeviceAdded{bob, core::DeviceId("tablet"), core::Seq(0)},
                          core::DeviceAdded{bob, core::DeviceId("phone"), core::Seq(0)},
                          core::DeviceAdded{bob, core::DeviceId("phone"), core::Seq(0)},
                          core::AdminPromoted{bob, after(7)}}));
  write(convo, convo.message("m1"));
  write(convo, convo.commit("k1", {core::MemberLeft{carol, core::Seq(2), core::Epoch(2), start}}));

  const auto page = list(of(alice));

  ASSERT_EQ(page.convos.size(), 1U);
  EXPECT_FALSE(page.more);
  const auto& view = page.convos[0];
  EXPECT_EQ(view.id, convo.id);
  EXPECT_EQ(view.group_id, id32("c1"));
  EXPECT_EQ(view.creator, alice);
  EXPECT_EQ(view.suite, 1);
  EXPECT_EQ(view.name, "a name");
  EXPECT_EQ(view.epoch, core::Epoch(2));
  EXPECT_EQ(view.created_at, start);
  EXPECT_EQ(view.last_message_at, start) << "of the newest application message";
  ASSERT_EQ(view.members.size(), 2U) << "active ones only";
  EXPECT_EQ(view.members[0].user, alice);
  EXPECT_TRUE(view.members[0].admin);
  EXPECT_FALSE(view.members[0].promoted_at);
  EXPECT_EQ(view.members[1].user, bob);
  EXPECT_TRUE(view.members[1].admin);
  EXPECT_EQ(view.members[1].promoted_at, after(7));
  EXPECT_EQ(view.members[1].joined_at, start);
  EXPECT_THAT(view.members[1].devices,
              ElementsAre(core::DeviceId("phone"), core::DeviceId("tablet")));
}

TEST_P(Convos, only_active_members_have_a_conversation_in_their_list) {
  Script convo("c1");
  write(convo, convo.create({bob}));
  EXPECT_THAT(names(list(of(bob))), ElementsAre("c1"));
  EXPECT_THAT(names(list(of(carol))), IsEmpty());

  write(convo, convo.set({core::MemberLeft{bob, core::Seq(0), core::Epoch(0), start}}));
  EXPECT_THAT(names(list(of(bob))), IsEmpty());
  EXPECT_THAT(*reader().windows(bob), IsEmpty());

  write(convo, convo.message("m1"));
  write(convo, convo.set({core::MemberAdded{bob, false, core::Seq(1), after(3)}}));
  EXPECT_THAT(names(list(of(bob))), ElementsAre("c1"));
  EXPECT_EQ(list(of(bob)).convos[0].members[1].joined_at, after(3));
  const auto windows = *reader().windows(bob);
  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].convo, convo.id);
  EXPECT_EQ(windows[0].after, core::Seq(1));
}

TEST_P(Convos, a_member_that_comes_back_has_no_devices_and_no_departure) {
  Script convo("c1");
  write(convo, convo.create({bob}));
  write(convo, convo.set({core::DeviceAdded{bob, core::DeviceId("phone"), core::Seq(0)}}));
  write(convo, convo.set({core::MemberLeft{bob, core::Seq(0), core::Epoch(0), after(1)}}));
  EXPECT_EQ(reader().load(convo.id)->state.members.at(1).left,
            (core::Departure{core::Seq(0), core::Epoch(0), after(1)}));

  write(convo, convo.set({core::MemberAdded{bob, false, core::Seq(0), after(2)}}));

  const auto member = reader().load(convo.id)->state.members.at(1);
  EXPECT_FALSE(member.left);
  EXPECT_THAT(member.devices, IsEmpty());
}

TEST_P(Convos, unread_are_application_rows_of_others_behind_the_mark) {
  Script convo("c1");
  write(convo, convo.create({bob}));
  EXPECT_EQ(unread(bob), 0U);

  write(convo, convo.message("m1", alice));
  write(convo, convo.message("m2", bob));
  write(convo, convo.message("m3", alice));
  write(convo, convo.commit("k1"));
  write(convo, convo.set({convo.row(core::Kind::proposal, "p1", alice)}));
  EXPECT_EQ(unread(bob), 2U);
  EXPECT_EQ(unread(alice), 1U);

  write(convo, convo.set({core::ReadMarked{bob, core::Seq(1)}}));
  EXPECT_EQ(unread(bob), 1U);

  write(convo, convo.set({core::ReadMarked{bob, core::Seq(5)}}));
  EXPECT_EQ(unread(bob), 0U);
}

TEST_P(Convos, a_read_mark_never_goes_back) {
  Script convo("c1");
  write(convo, convo.create({bob}));
  write(convo, convo.message("m1"));
  write(convo, convo.set({core::ReadMarked{bob, core::Seq(1)}}));

  write(convo, convo.set({core::ReadMarked{bob, core::Seq(0)}}));

  EXPECT_EQ(reader().load(convo.id)->state.members.at(1).read_seq, core::Seq(1));
  EXPECT_EQ(unread(bob), 0U);
}

TEST_P(Convos, what_was_said_before_the_join_is_not_unread) {
  Script convo("c1");
  write(convo, convo.create({}));
  write(convo, convo.message("m1"));
  write(convo, convo.set({core::MemberAdded{bob, false, core::Seq(1), start}}));
  EXPECT_EQ(unread(bob), 0U);

  write(convo, convo.message("m2"));

  EXPECT_EQ(unread(bob), 1U);
}

TEST_P(Convos, the_tag_is_asked_for_each_conversation) {
  Script one("c1");
  Script two("c2");
  for (auto* script : {&one, &two}) {
    write(*script, script->create({bob}));
    write(*script, script->message("m1", alice));
  }
  auto query = of(bob);
  query.tag = [](const core::ConvoId& id) { return tag_of(id.value == "c1" ? alice : bob); };

  const auto page = list(query);

  EXPECT_EQ(page.convos[0].unread, 0U);
  EXPECT_EQ(page.convos[1].unread, 1U);
}

TEST_P(Convos, pages_join_to_the_whole_list) {
  for (const auto* id : {"c3", "c1", "c5", "c2", "c4"}) {
    Script convo(id);
    write(convo, convo.create({bob}));
  }

  for (const std::size_t size : {1U, 2U, 4U, 5U, 6U, 0U}) {
    std::vector<std::string> joined;
    auto query = of(bob);
    query.rows_max = size;
    while (true) {
      const auto page = list(query);
      for (const auto& name : names(page)) joined.push_back(name);
      if (!page.more) break;
      ASSERT_EQ(page.convos.size(), size);
      query.after = page.convos.back().id;
    }
    EXPECT_THAT(joined, ElementsAre("c1", "c2", "c3", "c4", "c5"));
  }
}

TEST_P(Convos, a_page_is_bounded_by_bytes_says_so_and_holds_at_least_one) {
  for (const auto* id : {"c1", "c2", "c3"}) {
    Script convo(id);
    write(convo, convo.create({bob}));
  }
  auto query = of(bob);

  query.bytes_max = 1;
  const auto one = list(query);
  EXPECT_THAT(names(one), ElementsAre("c1"));
  EXPECT_TRUE(one.more);

  query.bytes_max = 1'000'000;
  const auto all = list(query);
  EXPECT_EQ(all.convos.size(), 3U);
  EXPECT_FALSE(all.more);
}

}  // namespace
}  // namespace catbird::storage
