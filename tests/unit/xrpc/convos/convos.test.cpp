// SPDX-License-Identifier: MIT
// getConvos, getCommits, getEpoch and the methods that change a group.
#include "support/mls_writer.hpp"
#include "unit/xrpc/world.hpp"

namespace catbird::xrpc {
namespace {

using catbird::testing::GroupAt;
using catbird::testing::make_private_message;

const std::string convo = "aa01";
const GroupAt at{{0xaa, 0x01}, 0};

std::vector<std::string> ids_of(const http::Response& response) {
  std::vector<std::string> ids;
  for (const auto& one : json_of(response).value("conversations", Json::array())) {
    ids.push_back(one["id"]);
  }
  return ids;
}

TEST(GetConvos, pages_with_a_cursor_to_the_end) {
  World world;
  for (const auto* id : {"aa01", "aa02", "aa03"}) world.create(id, {alice});
  world.create("aa00", {bob});

  const auto first = world.get("getConvos", "limit=2");
  const auto cursor = json_of(first).value("cursor", "");
  const auto second = world.get("getConvos", "limit=2&cursor=" + cursor);

  EXPECT_EQ(ids_of(first), (std::vector<std::string>{"aa01", "aa02"}));
  EXPECT_FALSE(cursor.empty());
  EXPECT_EQ(ids_of(second), std::vector<std::string>{"aa03"});
  EXPECT_FALSE(json_of(second).contains("cursor"));
}

TEST(GetConvos, gives_everything_to_who_does_not_page) {
  World world;
  for (int i = 0; i < 120; ++i) {
    world.create(to_hex(Bytes{0xbb, static_cast<std::uint8_t>(i)}), {alice});
  }

  const auto response = world.get("getConvos", "");

  EXPECT_EQ(ids_of(response).size(), 120U);
  EXPECT_FALSE(json_of(response).contains("cursor"));
}

TEST(GetConvos, refuses_limits_and_cursors_that_are_none) {
  World world;
  for (const auto* query : {"limit=0", "limit=101"}) {
    EXPECT_EQ(error_of(world.get("getConvos", query)), "InvalidRequest") << query;
  }
  for (const auto* query : {"cursor=", "cursor=!", "cursor=AB%3D"}) {
    EXPECT_EQ(error_of(world.get("getConvos", query)), "InvalidCursor") << query;
  }
}

TEST(GetConvos, counts_what_others_sent_as_unread) {
  World world;
  world.create(convo, {alice, bob});
  world.message(convo, "m1", alice);
  world.message(convo, "m2", bob);
  world.message(convo, "m3", bob);

  EXPECT_EQ(json_of(world.get("getConvos", ""))["conversations"][0]["unreadCount"], 2);
  EXPECT_EQ(json_of(world.get("getConvos", "", bob))["conversations"][0]["unreadCount"], 1);
}

class GetCommits : public ::testing::Test {
 protected:
  GetCommits() {
    world.create(convo, {alice, bob});
    world.add(convo, carol);     // epoch 1
    world.remove(convo, carol);  // epoch 2
    world.answer_access_from_store();
  }
  std::vector<int> epochs(const std::string& query, const std::string& user = alice) {
    last = world.get("getCommits", "convoId=" + convo + query, user);
    std::vector<int> out;
    for (const auto& commit : json_of(last).value("commits", Json::array())) {
      out.push_back(commit["epoch"]);
    }
    return out;
  }
  World world;
  http::Response last;
};

TEST_F(GetCommits, gives_the_commits_that_lead_to_a_range_of_epochs) {
  EXPECT_EQ(epochs("&fromEpoch=0"), (std::vector<int>{1, 2}));
  EXPECT_EQ(epochs("&fromEpoch=1&toEpoch=1"), std::vector<int>{1});
  EXPECT_EQ(epochs("&fromEpoch=2"), std::vector<int>{2});
  EXPECT_TRUE(epochs("&fromEpoch=3").empty());
  EXPECT_EQ(last.status, 200);
}

TEST_F(GetCommits, names_a_range_that_ends_before_it_begins) {
  epochs("&fromEpoch=2&toEpoch=1");

  EXPECT_EQ(last.status, 400);
  EXPECT_EQ(error_of(last), "InvalidEpochRange");
}

TEST_F(GetCommits, refuses_epochs_that_are_none) {
  for (const auto* query :
       {"", "&fromEpoch=x", "&fromEpoch=-1", "&fromEpoch=0&toEpoch=x", "&fromEpoch=0&toEpoch=-1"}) {
    epochs(query);
    EXPECT_EQ(error_of(last), "InvalidRequest") << query;
  }
}

TEST_F(GetCommits, stays_in_the_readers_window) {
  EXPECT_EQ(epochs("&fromEpoch=0", carol), std::vector<int>{2});
}

TEST(GetEpoch, answers_members_only) {
  World world;
  world.create(convo, {alice, bob});
  world.remove(convo, bob);
  world.answer_access_from_store();

  EXPECT_EQ(json_of(world.get("getEpoch", "convoId=AA01")),
            Json({{"convoId", convo}, {"currentEpoch", 1}}));
  EXPECT_EQ(error_of(world.get("getEpoch", "convoId=aa01", bob)), "NotMember");
  EXPECT_EQ(error_of(world.get("getEpoch", "convoId=none")), "NotMember");
  EXPECT_EQ(error_of(world.get("getEpoch", "")), "InvalidRequest");
}

TEST(AddMembers, asks_with_commit_and_declared_members) {
  World world;
  world.gateway.answer = [](const core::Command&) {
    return core::Outcome{core::Seq(1), core::Epoch(4), {}, {}};
  };
  const auto commit = make_private_message(at, mls::ContentType::commit, Bytes{1});

  const auto response = world.post("addMembers", {{"convoId", convo},
                                                  {"didList", {bob, carol + "#phone"}},
                                                  {"commit", to_base64(commit)},
                                                  {"idempotencyKey", "k"}});

  EXPECT_EQ(json_of(response), Json({{"success", true}, {"newEpoch", 4}}));
  const auto& add = world.gateway.last<core::AddMembers>();
  EXPECT_EQ(add.users, (std::vector<core::Did>{core::Did(bob), core::Did(carol)}));
  EXPECT_EQ(add.parts.commit->base, core::Epoch(0));
  EXPECT_EQ(world.gateway.commands.back().second.key->key, "k");
}

TEST(AddMembers, says_epoch_mismatch_for_a_stale_commit) {
  World world;
  world.gateway.answer = [](const core::Command&) -> Result<core::Outcome> {
    return std::unexpected(Error{Errc::epoch_mismatch, {}, EpochClash{2, 0}, 0});
  };

  const auto response = world.post("addMembers", {{"convoId", convo}, {"didList", {bob}}});

  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(error_of(response), "EpochMismatch");
  EXPECT_EQ(json_of(response)["message"], "EpochMismatch: serverEpoch=2 clientEpoch=0");
}

TEST(AddMembers, refuses_a_commit_that_adds_others) {
  World world;
  const catbird::testing::Signer signer(1, "s");
  const auto commit = catbird::testing::make_public_commit(
      signer, {.at = at, .adds = {catbird::testing::make_key_package(signer, bob).bare}});

  const auto response = world.post(
      "addMembers", {{"convoId", convo}, {"didList", {carol}}, {"commit", to_base64(commit)}});

  EXPECT_EQ(error_of(response), "InvalidCommit");
  EXPECT_TRUE(world.gateway.commands.empty());
}

TEST(ExternalCommit, is_the_callers_own) {
  World world;
  const catbird::testing::Signer signer(1, "s");
  const Json body{{"convoId", convo},
                  {"externalCommit", to_base64(catbird::testing::make_external_commit(
                                         signer, {.at = at, .identity = bob + "#phone"}))}};

  EXPECT_EQ(error_of(world.post("processExternalCommit", body, alice)), "Unauthorized");
  EXPECT_TRUE(world.gateway.commands.empty());
  EXPECT_EQ(world.post("processExternalCommit", body, bob).status, 200);
  EXPECT_EQ(world.gateway.commands.back().second.caller.device.value, "phone");
  EXPECT_EQ(error_of(world.post("processExternalCommit", {{"convoId", convo}}, bob)),
            "InvalidCommit");
}

TEST(RemoveMember, takes_one_or_several_targets) {
  World world;
  world.post("removeMember", {{"convoId", convo}, {"targetDid", bob}});
  EXPECT_EQ(world.gateway.last<core::RemoveMembers>().users, std::vector{core::Did(bob)});

  world.post("removeMember", {{"convoId", convo}, {"targetDids", {bob, carol}}});
  EXPECT_EQ(world.gateway.last<core::RemoveMembers>().users.size(), 2U);
  EXPECT_EQ(world.post("removeMember", {{"convoId", convo}}).status, 400);
}

TEST(LeaveConvo, is_about_the_caller_unless_it_names_another) {
  World world;
  world.post("leaveConvo", {{"convoId", convo}});
  EXPECT_EQ(world.gateway.last<core::LeaveConvo>().target.value, alice);

  world.post("leaveConvo", {{"convoId", convo}, {"targetDid", bob + "#phone"}});
  EXPECT_EQ(world.gateway.last<core::LeaveConvo>().target.value, bob);
  EXPECT_EQ(error_of(world.post("leaveConvo", {{"convoId", convo}, {"targetDid", "x"}})),
            "InvalidDid");
}

TEST(CreateConvo, takes_its_identity_from_the_group_id) {
  World world;
  world.gateway.answer = [](const core::Command& command) {
    core::Outcome outcome;
    outcome.detail = core::encode_creation({"name", {core::Did(alice), core::Did(bob)}});
    outcome.epoch = std::get<core::CreateConvo>(command.what).epoch;
    return outcome;
  };
  const Json body{{"groupId", "AA01"},
                  {"cipherSuite", "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"},
                  {"initialMembers", {bob}},
                  {"metadata", {{"name", "name"}}}};

  const auto response = world.post("createConvo", body);

  const auto json = json_of(response);
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(json["id"], convo);
  EXPECT_EQ(json["groupId"], convo);
  EXPECT_EQ(json["members"].size(), 2U);
  EXPECT_EQ(json["members"][0]["isAdmin"], true);
  EXPECT_EQ(json["metadata"]["name"], "name");
  EXPECT_EQ(world.gateway.commands.back().first.value, convo);
}

TEST(CreateConvo, starts_at_epoch_one_with_a_welcome_and_at_zero_without) {
  World world;
  Json body{{"groupId", "aa01"},
            {"cipherSuite", "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519"},
            {"initialMembers", {bob}}};
  world.post("createConvo", body);
  EXPECT_EQ(world.gateway.last<core::CreateConvo>().epoch, core::Epoch(0));

  body["welcomeMessage"] =
      to_base64(catbird::testing::make_welcome(1, std::vector<Bytes>{Bytes(32, 1)}));
  world.post("createConvo", body);
  EXPECT_EQ(world.gateway.last<core::CreateConvo>().epoch, core::Epoch(1));

  body["currentEpoch"] = 6;
  world.post("createConvo", body);
  EXPECT_EQ(world.gateway.last<core::CreateConvo>().epoch, core::Epoch(6));
}

}  // namespace
}  // namespace catbird::xrpc
