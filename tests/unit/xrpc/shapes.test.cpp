// SPDX-License-Identifier: MIT
#include "xrpc/shapes.hpp"

#include "unit/xrpc/world.hpp"

namespace catbird::xrpc {
namespace {

TEST(ConvoId, folds_hexadecimal_to_lower_case_and_leaves_the_rest) {
  EXPECT_EQ(convo_id("AbCdEf0123456789")->value, "abcdef0123456789");
  EXPECT_EQ(convo_id("Not-Hex")->value, "Not-Hex");
}

TEST(ConvoId, refuses_the_empty_and_the_absurd) {
  EXPECT_EQ(convo_id("").error().code, Errc::invalid_request);
  EXPECT_TRUE(convo_id(std::string(128, 'a')).has_value());
  EXPECT_FALSE(convo_id(std::string(129, 'a')).has_value());
}

TEST(Address, splits_a_device_from_its_user) {
  const auto plain = address(alice);
  const auto device = address(alice + "#phone-1");

  EXPECT_EQ(plain->user.value, alice);
  EXPECT_EQ(plain->device, std::nullopt);
  EXPECT_EQ(device->user.value, alice);
  EXPECT_EQ(device->device, core::DeviceId("phone-1"));
}

TEST(Address, refuses_what_is_no_did) {
  for (const auto& text :
       {std::string(), std::string("alice"), std::string("did:"), std::string("did:key:zabc"),
        std::string("#phone"), alice + "#", alice + "#" + std::string(129, 'd'),
        "did:web:" + std::string(3000, 'a') + ".example"}) {
    const auto parsed = address(text);

    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().code, Errc::invalid_did) << text;
  }
}

TEST(Users, cut_devices_off_and_count) {
  const auto two = users({alice, bob + "#phone"}, 2);

  ASSERT_TRUE(two.has_value());
  EXPECT_EQ((*two)[1].value, bob);
  EXPECT_EQ(users({alice, bob, carol}, 2).error().code, Errc::too_many_dids);
  EXPECT_EQ(users({alice, "x"}, 2).error().code, Errc::invalid_did);
}

TEST(WithDevice, lets_the_token_win_over_the_request) {
  const core::Caller bare{core::Did(alice), core::DeviceId()};
  const core::Caller phone{core::Did(alice), core::DeviceId("phone")};

  EXPECT_EQ(with_device(bare, "tablet").device.value, "tablet");
  EXPECT_EQ(with_device(phone, "tablet").device.value, "phone");
  EXPECT_EQ(with_device(bare, std::nullopt).device.value, "");
  EXPECT_EQ(with_device(bare, std::string(129, 'd')).device.value, "");
}

TEST(MessageView, has_every_field_of_the_lexicon) {
  storage::Row row;
  row.convo = core::ConvoId("aa");
  row.seq = core::Seq(4);
  row.epoch = core::Epoch(2);
  row.kind = core::Kind::proposal;
  row.id = core::MsgId("m");
  row.at = Timestamp(1'700'000'000'000);
  row.bytes = make_blob({1});
  JsonWriter json;

  write_message_view(json, row);

  EXPECT_EQ(Json::parse(json.take()), Json({{"id", "m"},
                                            {"convoId", "aa"},
                                            {"ciphertext", {{"$bytes", "AQ=="}}},
                                            {"epoch", 2},
                                            {"seq", 4},
                                            {"createdAt", "2023-11-14T22:13:20.000Z"},
                                            {"messageType", "proposal"}}));
}

TEST(ConvoView, omits_what_is_not_there) {
  storage::ConvoView view;
  view.id = core::ConvoId("aa");
  view.group_id = {0xaa};
  view.creator = core::Did(alice);
  view.suite = 1;
  view.members.push_back({core::Did(alice), true, Timestamp(0), std::nullopt, {}});
  JsonWriter json;

  write_convo_view(json, view);

  const auto read = Json::parse(json.take());
  for (const auto* name : {"id", "conversationId", "groupId", "creator", "members", "epoch",
                           "cipherSuite", "createdAt", "unreadCount"}) {
    EXPECT_TRUE(read.contains(name)) << name;
  }
  EXPECT_FALSE(read.contains("metadata"));
  EXPECT_FALSE(read.contains("lastMessageAt"));
  EXPECT_FALSE(read["members"][0].contains("deviceId"));
  EXPECT_FALSE(read["members"][0].contains("promotedAt"));
  EXPECT_EQ(read["cipherSuite"], "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519");
}

TEST(ConvoView, names_a_device_only_if_it_is_the_members_single_one) {
  storage::ConvoView view;
  view.members.push_back(
      {core::Did(alice), true, Timestamp(0), Timestamp(1), {core::DeviceId("a")}});
  view.members.push_back({core::Did(bob),
                          false,
                          Timestamp(0),
                          std::nullopt,
                          {core::DeviceId("a"), core::DeviceId("b")}});
  view.name = "name";
  view.last_message_at = Timestamp(2);
  JsonWriter json;

  write_convo_view(json, view);

  const auto read = Json::parse(json.take());
  EXPECT_EQ(read["members"][0]["deviceId"], "a");
  EXPECT_TRUE(read["members"][0].contains("promotedAt"));
  EXPECT_FALSE(read["members"][1].contains("deviceId"));
  EXPECT_EQ(read["metadata"]["name"], "name");
  EXPECT_TRUE(read.contains("lastMessageAt"));
}

TEST(SuiteName, falls_back_to_the_number) { EXPECT_EQ(suite_name(0xfffe), "65534"); }

}  // namespace
}  // namespace catbird::xrpc
