// SPDX-License-Identifier: MIT
// Welcomes and GroupInfo (DECISIONS 15; reliability K6-K8).
#include "contract/storage/fixture.hpp"
#include "core/limits.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::Optional;

const core::Caller phone{bob, core::DeviceId("phone")};
const core::Caller laptop{bob, core::DeviceId("laptop")};
const core::Caller bare{bob, core::DeviceId("")};

class Welcome : public StorageContract {
 protected:
  void SetUp() override {
    StorageContract::SetUp();
    write(convo_, convo_.create({bob, carol}));
  }
  void welcome(const std::string& body, std::vector<core::Recipient> recipients,
               Timestamp at = start) {
    write(convo_, convo_.commit("commit for " + body,
                                {core::WelcomeStored{{blob(body), std::move(recipients)},
                                                     core::Epoch(convo_.epoch.value + 1),
                                                     at}}));
  }
  std::string read(const core::Caller& caller, Timestamp now = start) {
    auto found = *reader().welcome(convo_.id, caller, now);
    return found ? text(found->bytes) : "none";
  }
  bool confirm(const core::Caller& caller, Timestamp now = start) {
    return *run<bool>(
        [&](UserWriter& users) { return users.confirm_welcome(convo_.id, caller, now); });
  }
  static core::Recipient to(const core::Caller& caller) {
    return {caller.user, caller.device, id32(caller.device.value)};
  }

  Script convo_{"c1"};
};
INSTANTIATE_TEST_SUITE_P(Backend, Welcome, testing::ValuesIn(all_backends()), case_name);

TEST_P(Welcome, is_read_by_its_device_as_often_as_it_likes) {
  welcome("w1", {to(phone)});

  EXPECT_EQ(read(phone), "w1");
  EXPECT_EQ(read(phone), "w1");
  EXPECT_EQ(reader().welcome(convo_.id, phone, start)->value().epoch, core::Epoch(1));
}

TEST_P(Welcome, of_another_device_or_user_is_neither_read_nor_ended) {
  welcome("w1", {to(phone)});

  EXPECT_EQ(read(laptop), "none");
  EXPECT_EQ(read({carol, core::DeviceId("phone")}), "none");
  EXPECT_EQ(read({carol, {}}), "none");
  EXPECT_FALSE(confirm(laptop));
  EXPECT_FALSE(confirm({carol, {}}));
  EXPECT_EQ(read(phone), "w1");
}

TEST_P(Welcome, is_one_for_all_its_recipients_and_ends_for_each_alone) {
  welcome("w1", {to(phone), to(laptop), {carol, {}, {}}});

  EXPECT_TRUE(confirm(phone));

  EXPECT_EQ(read(phone), "none");
  EXPECT_EQ(read(laptop), "w1");
  EXPECT_EQ(read({carol, {}}), "w1");
}

TEST_P(Welcome, is_confirmed_once) {
  welcome("w1", {to(phone)});

  EXPECT_TRUE(confirm(phone));
  EXPECT_FALSE(confirm(phone));
}

TEST_P(Welcome, is_superseded_by_a_newer_one_of_the_same_device_only) {
  welcome("w1", {to(phone), to(laptop)});
  welcome("w2", {to(phone)});

  EXPECT_EQ(read(phone), "w2");
  EXPECT_EQ(read(laptop), "w1");
  EXPECT_TRUE(confirm(phone));
  EXPECT_EQ(read(phone), "none");
}

TEST_P(Welcome, addressed_to_the_user_is_for_any_one_device) {
  welcome("w1", {{bob, {}, {}}});

  EXPECT_EQ(read(phone), "w1");
  EXPECT_EQ(read(laptop), "w1");
  EXPECT_EQ(read(bare), "w1");
  EXPECT_TRUE(confirm(laptop));
  EXPECT_EQ(read(phone), "none");
}

TEST_P(Welcome, of_the_device_itself_comes_before_one_for_the_user) {
  welcome("own", {to(phone)});
  welcome("shared", {{bob, {}, {}}});

  EXPECT_EQ(read(phone), "own");
  EXPECT_EQ(read(laptop), "shared");
  EXPECT_TRUE(confirm(phone));
  EXPECT_EQ(read(phone), "shared");
}

TEST_P(Welcome, for_the_user_is_not_for_a_device_that_was_addressed_later) {
  welcome("shared", {{bob, {}, {}}});
  welcome("own", {to(phone)});
  EXPECT_TRUE(confirm(phone));

  EXPECT_EQ(read(phone), "none");
  EXPECT_FALSE(confirm(phone));
  EXPECT_EQ(read(laptop), "shared");
}

TEST_P(Welcome, of_a_caller_without_a_device_is_the_users_newest_pending_one) {
  welcome("w1", {to(phone)});
  welcome("w2", {to(laptop)});

  EXPECT_EQ(read(bare), "w2");
  EXPECT_TRUE(confirm(bare));
  EXPECT_EQ(read(laptop), "none");
  EXPECT_EQ(read(bare), "w1");
}

TEST_P(Welcome, ends_after_ninety_days) {
  welcome("w1", {to(phone)});

  EXPECT_EQ(read(phone, after(core::welcome_life_ms - 1)), "w1");
  EXPECT_EQ(read(phone, after(core::welcome_life_ms)), "none");
  EXPECT_FALSE(confirm(phone, after(core::welcome_life_ms)));
}

TEST_P(Welcome, of_an_unknown_conversation_is_none) {
  EXPECT_FALSE(*reader().welcome(core::ConvoId("nothing"), phone, start));
  EXPECT_FALSE(*run<bool>([&](UserWriter& users) {
    return users.confirm_welcome(core::ConvoId("nothing"), phone, start);
  }));
}

TEST_P(Welcome, survives_a_restart_and_so_does_its_end) {
  welcome("w1", {to(phone), to(laptop)});
  confirm(phone);

  reopen();

  EXPECT_EQ(read(phone), "none");
  EXPECT_EQ(read(laptop), "w1");
}

TEST_P(Welcome, group_info_is_the_last_one_stored) {
  EXPECT_FALSE(*reader().group_info(convo_.id));

  write(convo_, convo_.set({core::GroupInfoStored{core::Epoch(0), start, blob("old")}}));
  write(convo_,
        convo_.commit("k1", {core::GroupInfoStored{core::Epoch(1), after(5), blob("new")}}));

  const auto found = *reader().group_info(convo_.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(text(found->bytes), "new");
  EXPECT_EQ(found->epoch, core::Epoch(1));
  EXPECT_EQ(found->at, after(5));
  EXPECT_THAT(reader().load(convo_.id)->state.group_info_epoch, Optional(core::Epoch(1)));
  EXPECT_FALSE(*reader().group_info(core::ConvoId("nothing")));
}

}  // namespace
}  // namespace catbird::storage
