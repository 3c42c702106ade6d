// SPDX-License-Identifier: MIT
// What becomes of the predecessor's rows: contract/predecessor.md §4 and what went wrong in §8.
#include "app/import_plan.hpp"

#include "core/limits.hpp"
#include "support/mls_writer.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace catbird::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Timestamp start{1'700'000'000'000};
constexpr std::int64_t second_ms = 1000;
const std::string alice = "did:web:alice.example";
const std::string bob = "did:web:bob.example";
const Bytes group{0xab, 0xcd};

Timestamp at(std::int64_t seconds) { return Timestamp(start.value + seconds * second_ms); }

class Plan : public ::testing::Test {
 protected:
  Plan() {
    old_.convo = {.id = "5d4a1c1e-0000-4000-8000-000000000001",
                  .group_id = "abcd",
                  .creator = alice,
                  .suite = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519",
                  .name = "a name",
                  .epoch = 0,
                  .created_at = start,
                  .group_info = {}};
    old_.members = {{.user = alice, .device = {}, .admin = true, .joined_at = start, .left_at = {}},
                    {.user = bob, .device = {}, .admin = false, .joined_at = start, .left_at = {}}};
  }

  void row(const std::string& id, const std::string& kind, std::int64_t seq, std::int64_t seconds,
           Bytes head) {
    const auto size = std::ssize(head);
    old_.messages.push_back({.row = "(0," + id + ")",
                             .id = id,
                             .msg_id = {},
                             .sender = alice,
                             .kind = kind,
                             .epoch = 0,
                             .seq = seq,
                             .at = at(seconds),
                             .head = std::move(head),
                             .size = size});
  }
  void message(const std::string& id, std::int64_t seq, std::int64_t seconds,
               std::uint64_t epoch = 0) {
    row(id, "app", seq, seconds,
        catbird::testing::make_private_message({group, epoch}, mls::ContentType::application,
                                               group));
  }
  void commit(const std::string& id, std::int64_t seq, std::int64_t seconds, std::uint64_t base) {
    row(id, "commit", seq, seconds,
        catbird::testing::make_private_message({group, base}, mls::ContentType::commit, group));
  }
  ConvoPlan plan() {
    auto made = plan_convo(old_, at(100));
    EXPECT_TRUE(made) << made.error().detail;
    return made ? std::move(*made) : ConvoPlan{};
  }
  static std::vector<std::string> ids(const ConvoPlan& plan) {
    std::vector<std::string> out;
    for (const auto& row : plan.rows) {
      EXPECT_EQ(row.seq.value, out.size() + 1);
      out.push_back(row.id.value);
    }
    return out;
  }
  static std::vector<std::uint64_t> epochs(const ConvoPlan& plan) {
    std::vector<std::uint64_t> out;
    for (const auto& row : plan.rows) out.push_back(row.epoch.value);
    return out;
  }

  OldRows old_;
};

TEST_F(Plan, what_was_right_stays_as_it_was) {
  message("m1", 1, 1);
  commit("k1", 2, 2, 0);
  message("m2", 3, 3, 1);
  old_.convo.epoch = 1;

  const auto made = plan();

  EXPECT_THAT(ids(made), ElementsAre("m1", "k1", "m2"));
  EXPECT_THAT(epochs(made), ElementsAre(0, 1, 1));
  EXPECT_EQ(made.rows[1].base, core::Epoch(0));
  EXPECT_EQ(made.epoch, core::Epoch(1));
  EXPECT_EQ(made.creation_epoch, core::Epoch(0));
  EXPECT_EQ(made.renumbered, 0U);
  EXPECT_EQ(made.convo.value, old_.convo.id);
  EXPECT_EQ(made.group_id, group);
  EXPECT_THAT(made.remarks, IsEmpty());
}

TEST_F(Plan, duplicate_numbers_are_numbered_again_by_time) {
  message("m1", 1, 1);
  message("m2", 2, 2);
  message("m2b", 2, 3);
  message("m3", 3, 4);

  const auto made = plan();

  EXPECT_THAT(ids(made), ElementsAre("m1", "m2", "m2b", "m3"));
  EXPECT_EQ(made.renumbered, 2U);
}

TEST_F(Plan, commits_that_never_had_a_number_go_where_their_time_puts_them) {
  commit("k1", 0, 2, 0);
  commit("k2", 0, 9, 1);
  message("m1", 1, 1);
  message("m2", 2, 3, 1);

  const auto made = plan();

  EXPECT_THAT(ids(made), ElementsAre("m1", "k1", "m2", "k2"));
  EXPECT_THAT(epochs(made), ElementsAre(0, 1, 1, 2));
}

TEST_F(Plan, of_two_commits_on_one_epoch_the_first_counts) {
  commit("k1", 1, 1, 0);
  commit("fork", 2, 2, 0);
  commit("k2", 3, 3, 1);

  const auto made = plan();

  EXPECT_THAT(ids(made), ElementsAre("k1", "k2"));
  EXPECT_EQ(made.epoch, core::Epoch(2));
  EXPECT_THAT(made.remarks, ::testing::Contains(HasSubstr("commit fork: a fork")));
}

TEST_F(Plan, behind_a_missing_commit_only_the_end_of_the_chain_is_of_use) {
  commit("k1", 1, 1, 0);
  message("m1", 2, 2, 1);
  commit("k4", 3, 3, 3);

  const auto made = plan();

  EXPECT_THAT(ids(made), ElementsAre("m1", "k4"));
  EXPECT_EQ(made.creation_epoch, core::Epoch(3));
  EXPECT_THAT(epochs(made), ElementsAre(3, 4));
  EXPECT_THAT(made.remarks, ::testing::Contains(HasSubstr("commit k1: one that follows")));
}

TEST_F(Plan, commits_out_of_order_are_put_in_order) {
  commit("k2", 1, 1, 1);
  message("m1", 2, 2, 1);
  commit("k1", 3, 3, 0);

  const auto made = plan();

  EXPECT_THAT(ids(made), ElementsAre("k1", "m1", "k2"));
  EXPECT_THAT(epochs(made), ElementsAre(1, 1, 2));
}

TEST_F(Plan, the_epoch_is_that_of_the_mls_bytes_not_the_one_counted) {
  commit("k1", 1, 1, 4);
  message("m1", 2, 2, 5);
  old_.convo.epoch = 2;

  const auto made = plan();

  EXPECT_EQ(made.epoch, core::Epoch(5));
  EXPECT_THAT(made.remarks, ::testing::Contains(HasSubstr("where 2 was counted")));
}

TEST_F(Plan, a_message_from_a_far_epoch_proves_nothing) {
  commit("k1", 1, 1, 0);
  message("m1", 2, 2, 1'000'000);
  old_.convo.epoch = 1;

  EXPECT_EQ(plan().epoch, core::Epoch(1));
}

TEST_F(Plan, without_any_bytes_the_count_is_all_there_is) {
  old_.convo.epoch = 7;
  EXPECT_EQ(plan().epoch, core::Epoch(7));
  EXPECT_EQ(plan().creation_epoch, core::Epoch(7));
}

TEST_F(Plan, nothing_empty_or_too_large_is_carried_and_it_is_said) {
  row("empty", "app", 1, 1, {});
  message("large", 2, 2);
  old_.messages.back().size = static_cast<std::int64_t>(core::blob_bytes_max) + 1;
  message("m1", 3, 3);

  const auto made = plan();

  EXPECT_THAT(ids(made), ElementsAre("m1"));
  EXPECT_THAT(made.remarks, ElementsAre("message empty: empty", "message large: above 7 MiB"));
}

TEST_F(Plan, the_clients_id_of_a_message_wins_and_is_never_there_twice) {
  message("r1", 1, 1);
  message("r2", 2, 2);
  message("r3", 3, 3);
  old_.messages[0].msg_id = "01CLIENT";
  old_.messages[1].msg_id = "01CLIENT";
  old_.messages[2].msg_id = "r2";

  EXPECT_THAT(ids(plan()), ElementsAre("01CLIENT", "r2", "r3"));
}

TEST_F(Plan, members_read_from_when_they_joined_to_when_they_left) {
  for (int i = 1; i <= 6; ++i) message("m" + std::to_string(i), i, i * 10);
  old_.members[1].joined_at = at(35);
  old_.members[1].left_at = at(52);

  const auto made = plan();

  const auto& one = made.members.at(1);
  EXPECT_EQ(one.user.value, bob);
  EXPECT_EQ(one.join_seq, core::Seq(3));
  EXPECT_EQ(one.left_seq, core::Seq(5));
  EXPECT_EQ(made.members.at(0).join_seq, core::Seq(0));
}

TEST_F(Plan, device_rows_of_one_user_are_one_member) {
  old_.members = {
      {.user = bob, .device = "phone", .admin = false, .joined_at = at(5), .left_at = at(6)},
      {.user = bob + "#laptop", .device = {}, .admin = true, .joined_at = at(3), .left_at = {}},
      {.user = alice, .device = {}, .admin = false, .joined_at = start, .left_at = {}}};

  const auto made = plan();

  ASSERT_EQ(made.members.size(), 2U);
  const auto& one = made.members.at(1);
  EXPECT_THAT(one.devices, ElementsAre(core::DeviceId("laptop")));
  EXPECT_EQ(one.joined_at, at(3));
  EXPECT_TRUE(one.admin);
  EXPECT_FALSE(one.left_seq);
}

TEST_F(Plan, somebody_is_always_admin) {
  old_.members[0].admin = false;
  EXPECT_TRUE(plan().members.at(0).admin);  // the creator

  old_.members[0].left_at = at(9);
  const auto made = plan();
  EXPECT_TRUE(made.members.at(1).admin);
  EXPECT_THAT(made.remarks, ::testing::Contains(HasSubstr("longest-standing")));
}

TEST_F(Plan, unread_counts_become_read_marks) {
  for (int i = 1; i <= 5; ++i) message("m" + std::to_string(i), i, i);
  old_.members[1].unread = 2;

  EXPECT_EQ(plan().members.at(1).read_seq, core::Seq(3));
}

TEST_F(Plan, an_id_that_is_a_group_is_lower_case_hex) {
  old_.convo.id = "ABCD";
  EXPECT_EQ(plan().convo.value, "abcd");
}

TEST_F(Plan, what_no_user_could_have_made_is_refused) {
  old_.convo.creator = "system";
  EXPECT_FALSE(plan_convo(old_, start));
}

}  // namespace
}  // namespace catbird::app
