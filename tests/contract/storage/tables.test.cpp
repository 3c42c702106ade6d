// SPDX-License-Identifier: MIT
// The plain tables: the same answers on every backend, and each description fits its schema.
#include "contract/storage/fixture.hpp"
#include "storage/tables/accounts.hpp"
#include "storage/tables/conversations.hpp"
#include "storage/tables/operations.hpp"
#include "storage/tables/requests.hpp"

#include <gmock/gmock.h>

#include <map>

namespace catbird::storage {
namespace {

using enum Filter::Op;
using testing::ElementsAre;

DeviceRecord device(const core::Did& user, const std::string& id,
                    std::optional<std::string> uuid = std::nullopt) {
  return {.user = user,
          .device = core::DeviceId(id),
          .uuid = std::move(uuid),
          .name = "a phone",
          .signature_key = id32(user.value + id),
          .registered_at = start,
          .seen_at = start};
}

PendingAddition addition(const std::string& id, std::int64_t at = start.value) {
  return {.id = id,
          .convo = core::ConvoId("c" + id),
          .user = alice,
          .device = core::DeviceId("phone"),
          .device_name = "a phone",
          .status = "pending",
          .claimed_by = std::nullopt,
          .claim_until = std::nullopt,
          .at = Timestamp(at)};
}

ChatRequestRecord request(const std::string& id) {
  return {.id = id,
          .sender = alice,
          .recipient = bob,
          .status = "pending",
          .at = start,
          .expires_at = after(day_ms),
          .preview = std::nullopt,
          .group_invite = true,
          .group_id = "ab",
          .messages = 1,
          .decided_at = std::nullopt,
          .reason = std::nullopt,
          .details = std::nullopt};
}

class Tables : public StorageContract {
 protected:
  /// Runs `work` as a job that must succeed.
  bool with(const std::function<Result<bool>(TableWriter&)>& work) {
    auto done = run<bool>([&](UserWriter& users) { return work(users.tables()); });
    EXPECT_TRUE(done) << done.error().detail;
    return done && *done;
  }
  template <class T>
  bool add(const T& row) {
    return with([&](TableWriter& tables) { return insert(tables, row); });
  }
  template <class T>
  std::vector<T> all(const Selection& selection = {}) {
    auto rows = select<T>(reader().tables(), selection);
    EXPECT_TRUE(rows) << rows.error().detail;
    return rows ? *rows : std::vector<T>{};
  }
  std::vector<std::string> ids(const Selection& selection) {
    std::vector<std::string> found;
    for (const auto& one : all<PendingAddition>(selection)) found.push_back(one.id);
    return found;
  }
  template <class T>
  void keeps(const T& row) {
    EXPECT_TRUE(add(row)) << T::table().name;
    EXPECT_FALSE(add(row)) << T::table().name << ": a second row of one key";
    ++kept_[std::string(T::table().name)];
    ASSERT_EQ(all<T>().size(), 1U) << T::table().name;
    EXPECT_EQ(cells_of(all<T>().front()), cells_of(row)) << T::table().name;
  }
  std::map<std::string, int> kept_;
};

TEST_P(Tables, keep_a_row_of_every_description) {
  keeps(device(alice, "phone", "uuid"));
  keeps(PushToken{alice, core::DeviceId("phone"), "ios", id32("sealed"), start});
  keeps(PushNotice{alice, core::DeviceId("phone"), "token-registered", start});
  keeps(OptInRecord{alice, core::DeviceId(), start});
  keeps(SubscriptionTicket{id32("ticket"), alice, core::DeviceId(), core::ConvoId("c1"), start});
  auto claimed = addition("1");
  claimed.claimed_by = bob;
  claimed.claim_until = after(1);
  keeps(claimed);
  auto declined = request("1");
  declined.status = "declined";
  declined.preview = "hello";
  declined.decided_at = after(5);
  declined.reason = "spam";
  declined.details = "again and again";
  keeps(declined);
  keeps(HeldMessage{"1", 1, 3, {}, {1, 2, 3}});
  keeps(ChatRequestSettings{alice, false, true, 30});
  keeps(BlockedSender{alice, bob, "spam", start});
  Script convo("c1");
  write(convo, convo.create());
  core::Noted noted;
  noted.user = alice;
  noted.actor = bob;
  noted.at = start;
  keeps(record_of(7, convo.id, noted));
  keeps(record_of(convo.id, core::PolicySet{{}, alice, start}));
  keeps(ModeratorRecord{convo.id, bob, start});
  keeps(ReportRecord{.id = "1",
                     .convo = convo.id,
                     .reporter = alice,
                     .reported = bob,
                     .category = "spam",
                     .message_ids = "a\nb",
                     .status = "resolved",
                     .at = start,
                     .action = "no_action",
                     .notes = std::nullopt,
                     .resolved_by = alice,
                     .resolved_at = after(1),
                     .content = {1, 2, 3}});
  keeps(InviteRecord{.id = "1",
                     .convo = convo.id,
                     .created_by = alice,
                     .at = start,
                     .psk_hash = std::string(64, 'a'),
                     .target = bob,
                     .expires_at = after(5),
                     .max_uses = 3,
                     .uses = 1,
                     .revoked_at = after(2),
                     .revoked_by = alice});
  keeps(KeyPackageClaim{alice, 7, core::DeviceId("phone"), 1, bob, start});
  keeps(SuspensionRecord{bob, "spam", start});
  keeps(OperatorAct{"1", "suspend", bob, "spam", start, "done"});
  keeps(BlockConflictRecord{convo.id, alice, bob, start, after(5)});
  for (const auto* table : all_tables()) {
    EXPECT_EQ(kept_[std::string(table->name)], 1) << table->name << " has no case here";
  }
  reopen();
  EXPECT_EQ(all<DeviceRecord>(), std::vector{device(alice, "phone", "uuid")});
}

TEST_P(Tables, hold_every_unique_set) {
  EXPECT_TRUE(add(device(alice, "phone", "u1")));
  EXPECT_FALSE(add(device(alice, "laptop", "u1")));
  EXPECT_TRUE(add(device(bob, "laptop", "u1")));
  auto same_key = device(alice, "laptop", "u2");
  same_key.signature_key = device(alice, "phone").signature_key;
  EXPECT_FALSE(add(same_key));
  EXPECT_TRUE(add(device(alice, "laptop")));  // NULL is like no other
  EXPECT_TRUE(add(device(alice, "tablet")));
  EXPECT_EQ(all<DeviceRecord>().size(), 4U);
}

TEST_P(Tables, replace_and_erase_only_what_was_seen) {
  const auto before = device(alice, "phone");
  auto after_it = before;
  after_it.name = "another";
  add(before);
  EXPECT_TRUE(with([&](TableWriter& tables) {
    return tables.replace(DeviceRecord::table(), cells_of(before), cells_of(after_it));
  }));
  EXPECT_FALSE(with([&](TableWriter& tables) {
    return tables.replace(DeviceRecord::table(), cells_of(before), cells_of(after_it));
  }));
  EXPECT_FALSE(with(
      [&](TableWriter& tables) { return tables.erase(DeviceRecord::table(), cells_of(before)); }));
  EXPECT_EQ(all<DeviceRecord>(), std::vector{after_it});
  EXPECT_TRUE(with([&](TableWriter& tables) {
    return tables.erase(DeviceRecord::table(), cells_of(after_it));
  }));
  EXPECT_TRUE(all<DeviceRecord>().empty());
  const auto stale = run<bool>([&](UserWriter& users) -> Result<bool> {
    auto done = replace(users.tables(), before, after_it);
    if (!done) return std::unexpected(done.error());
    return true;
  });
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, Errc::retry);
}

TEST_P(Tables, put_inserts_or_replaces) {
  for (const std::uint64_t days : {7U, 30U}) {
    EXPECT_TRUE(with([&](TableWriter& tables) -> Result<bool> {
      auto done = put(tables, ChatRequestSettings{alice, true, false, days});
      if (!done) return std::unexpected(done.error());
      return true;
    }));
  }
  ASSERT_EQ(all<ChatRequestSettings>().size(), 1U);
  EXPECT_EQ(all<ChatRequestSettings>()[0].expire_days, 30U);
}

TEST_P(Tables, select_by_what_is_asked) {
  add(device(alice, "phone"));
  // Times against the order of the ids, and two that are the same.
  for (const auto& [id, at] :
       std::map<std::string, std::int64_t>{{"a", 5}, {"b", 4}, {"c", 3}, {"d", 3}, {"e", 1}}) {
    auto one = addition(id, at);
    if (id == "b") {
      one.claimed_by = bob;
      one.claim_until = after(1);
    }
    EXPECT_TRUE(add(one));
  }
  EXPECT_THAT(ids({}), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(ids({.where = {}, .descending = true}), ElementsAre("e", "d", "c", "b", "a"));
  EXPECT_THAT(ids({.where = {}, .order = "at"}), ElementsAre("e", "c", "d", "b", "a"));
  EXPECT_THAT(ids({.where = {}, .order = "at", .descending = true, .rows_max = 3}),
              ElementsAre("a", "b", "d"));
  EXPECT_THAT(ids({.where = {where("id", std::string("c"))}}), ElementsAre("c"));
  EXPECT_THAT(ids({.where = {where("id", is_not, std::string("c"))}}),
              ElementsAre("a", "b", "d", "e"));
  EXPECT_THAT(ids({.where = {where("at", below, std::int64_t{4})}}), ElementsAre("c", "d", "e"));
  EXPECT_THAT(ids({.where = {where("at", above, std::int64_t{3})}}), ElementsAre("a", "b"));
  const std::vector<std::string> three{"e", "x", "a"};
  EXPECT_THAT(ids({.where = {where_any("id", three)}}), ElementsAre("a", "e"));
  EXPECT_THAT(ids({.where = {where_any("id", std::vector<std::string>{})}}), ElementsAre());
  EXPECT_THAT(ids({.where = {{"claimed_by", is_null, {}}}}), ElementsAre("a", "c", "d", "e"));
  EXPECT_THAT(ids({.where = {where("claimed_by", is_not, alice)}}), ElementsAre("b"));
  EXPECT_EQ(*count<PendingAddition>(reader().tables(), {.where = {where("at", std::int64_t{3})}}),
            2U);
}

TEST_P(Tables, undo_what_a_failed_job_did) {
  add(device(alice, "phone"));
  const auto failed = run<bool>([&](UserWriter& users) -> Result<bool> {
    auto& tables = users.tables();
    EXPECT_TRUE(*insert(tables, device(alice, "laptop")));
    auto changed = device(alice, "phone");
    changed.name = "another";
    EXPECT_TRUE(replace(tables, device(alice, "phone"), changed));
    EXPECT_EQ(select<DeviceRecord>(tables, {})->size(), 2U) << "a job sees its own rows";
    EXPECT_TRUE(erase(tables, changed));
    return fail(Errc::conflict, "as planned");
  });
  EXPECT_FALSE(failed);
  EXPECT_EQ(all<DeviceRecord>(), std::vector{device(alice, "phone")});
}

TEST_P(Tables, lock_does_not_outlive_its_transaction) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(with([](TableWriter& tables) -> Result<bool> {
      auto locked = tables.lock("devices:did:plc:alice");
      if (!locked) return std::unexpected(locked.error());
      return true;
    }));
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, Tables, testing::ValuesIn(all_backends()), case_name);

}  // namespace
}  // namespace catbird::storage
