// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "unit/core/world.hpp"

#include <algorithm>
#include <string>

namespace catbird::core {
namespace {

TEST(CreateConvo, makes_the_caller_a_member_and_the_only_admin) {
  Conversation convo;

  const auto outcome = accept(convo, create({carol, bob, bob}));

  const auto& state = convo.state();
  EXPECT_TRUE(convo.exists());
  EXPECT_EQ(state.creator, alice);
  EXPECT_EQ(state.group_id, group());
  EXPECT_EQ(state.suite, 1);
  EXPECT_EQ(state.created_at, start);
  ASSERT_EQ(state.members.size(), 3U);
  EXPECT_TRUE(std::ranges::is_sorted(state.members.all(), {}, &Member::user));
  EXPECT_TRUE(member(convo, alice)->admin);
  EXPECT_FALSE(member(convo, bob)->admin);
  EXPECT_FALSE(member(convo, carol)->admin);
  EXPECT_EQ(outcome.seq, Seq(0));
  EXPECT_EQ(convo.last_seq(), Seq(0));
}

TEST(CreateConvo, starts_at_the_epoch_the_creator_is_in) {
  const auto convo = with_members({bob}, 1);

  EXPECT_EQ(convo.epoch(), Epoch(1));
  EXPECT_EQ(convo.state().creation_epoch, Epoch(1));
  EXPECT_EQ(refusal(convo, commit(alice, 0)).clash->server_epoch, 1U);
}

TEST(CreateConvo, is_refused_for_a_conversation_that_exists) {
  auto convo = with_members({bob});
  const auto before = convo.state();

  EXPECT_EQ(refusal(convo, create({bob})).code, Errc::convo_exists);
  EXPECT_EQ(refusal(convo, create({bob}, dave)).code, Errc::convo_exists);
  EXPECT_EQ(convo.state(), before);
}

TEST(CreateConvo, again_with_its_key_gets_the_members_and_name_of_then) {
  Conversation convo;
  const auto first = accept(convo, keyed(create({bob}), "k"));
  accept(convo, add(alice, {carol}));

  const auto again = accept(convo, keyed(create({bob}), "k"), later);

  EXPECT_EQ(again, first);
  const auto detail = decode_creation(again.detail);
  ASSERT_TRUE(detail);
  EXPECT_EQ(detail->name, "name");
  EXPECT_EQ(detail->members, (std::vector<Did>{alice, bob}));
}

TEST(CreateConvo, is_bounded_in_members) {
  std::vector<Did> others;
  for (std::size_t i = 0; i + 1 < members_max; ++i) {
    others.emplace_back("did:plc:" + std::to_string(i));
  }
  Conversation convo;
  EXPECT_TRUE(convo.decide(create(others), start));

  others.emplace_back("did:plc:one-too-many");
  EXPECT_EQ(refusal(convo, create(others)).code, Errc::too_many_members);
}

TEST(CreateConvo, stores_its_welcome_group_info_and_used_packages_with_it) {
  auto what = create({bob}, alice, 1);
  auto& parts = std::get<CreateConvo>(what.what).parts;
  parts.welcome = WelcomePart{blob("welcome"), {{bob, DeviceId("phone"), bytes("ref")}}};
  parts.group_info = info_part(1);
  parts.key_packages = {{bytes("ref"), true}};
  const Conversation nothing;

  const auto decision = nothing.decide(what, start);

  ASSERT_EQ(events_of<WelcomeStored>(decision).size(), 1U);
  EXPECT_EQ(events_of<WelcomeStored>(decision)[0].epoch, Epoch(1));
  ASSERT_EQ(events_of<GroupInfoStored>(decision).size(), 1U);
  ASSERT_EQ(events_of<KeyPackagesConsumed>(decision).size(), 1U);
  EXPECT_EQ(events_of<KeyPackagesConsumed>(decision)[0].user, alice);
  ASSERT_EQ(events_of<DeviceAdded>(decision).size(), 1U);
  EXPECT_EQ(events_of<DeviceAdded>(decision)[0].device, DeviceId("phone"));
  EXPECT_TRUE(std::holds_alternative<ConvoCreated>(decision->events.front()));
}

TEST(CreateConvo, checks_the_parts_on_the_conversation_as_it_will_be) {
  const Conversation nothing;
  auto stranger = create({bob}, alice, 1);
  std::get<CreateConvo>(stranger.what).parts.welcome =
      WelcomePart{blob("welcome"), {{carol, DeviceId(), {}}}};
  auto wrong_info = create({bob}, alice, 1);
  std::get<CreateConvo>(wrong_info.what).parts.group_info = info_part(0);
  auto package = create({bob}, alice, 1);
  std::get<CreateConvo>(package.what).parts.key_packages = {{bytes("ref"), false}};

  EXPECT_EQ(refusal(nothing, stranger).code, Errc::invalid_request);
  EXPECT_EQ(refusal(nothing, wrong_info).code, Errc::invalid_group_info);
  EXPECT_EQ(refusal(nothing, package).code, Errc::key_package_not_found);
}

TEST(CreateConvo, knows_the_device_of_the_caller) {
  auto what = create({bob});
  what.caller.device = DeviceId("laptop");
  Conversation convo;

  accept(convo, what);

  EXPECT_EQ(member(convo, alice)->devices, std::vector<DeviceId>{DeviceId("laptop")});
  EXPECT_TRUE(member(convo, bob)->devices.empty());
}

TEST(CreateConvo, records_the_same_answer_that_it_gives) {
  const Conversation nothing;

  const auto decision = nothing.decide(keyed(create({bob}), "k"), start);

  const auto recorded = events_of<RequestRecorded>(decision);
  ASSERT_EQ(recorded.size(), 1U);
  EXPECT_EQ(recorded[0].outcome, decision->outcome);
}

TEST(CreationDetail, survives_its_encoding_whatever_the_name) {
  for (const std::string name : {"", "plain", "two\nlines\n", "3\ndid:plc:x\n"}) {
    const CreationDetail detail{name, {alice, bob}};

    const auto decoded = decode_creation(encode_creation(detail));

    ASSERT_TRUE(decoded) << name;
    EXPECT_EQ(decoded->name, name);
    EXPECT_EQ(decoded->members, detail.members);
  }
}

TEST(CreationDetail, refuses_what_it_did_not_write) {
  for (const char* text : {"", "1", "x\n", "\n", "-1\n", "2\ndid:plc:a\n", "1\n", "9999999\n"}) {
    EXPECT_FALSE(decode_creation(text)) << text;
  }
}

}  // namespace
}  // namespace catbird::core
