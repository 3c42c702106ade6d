// SPDX-License-Identifier: MIT
// sendMessage, getMessages and updateCursor.
#include "core/limits.hpp"
#include "support/mls_writer.hpp"
#include "unit/xrpc/world.hpp"

namespace catbird::xrpc {
namespace {

using catbird::testing::GroupAt;
using catbird::testing::make_private_message;

const std::string convo = "aa01";
const GroupAt at{{0xaa, 0x01}, 5};
const std::string ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";

Bytes app_message() { return make_private_message(at, mls::ContentType::application, Bytes{1}); }

Json send_body(ByteView ciphertext, std::uint64_t epoch = 5) {
  return {{"convoId", convo},
          {"msgId", ulid},
          {"ciphertext", {{"$bytes", to_base64(ciphertext)}}},
          {"epoch", epoch},
          {"paddedSize", ciphertext.size()}};
}

TEST(SendMessage, asks_with_what_the_bytes_say_and_encodes_the_outcome) {
  World world;
  world.gateway.answer = [](const core::Command&) {
    return core::Outcome{core::Seq(9), core::Epoch(5), Timestamp(1'700'000'000'000), {}};
  };
  const auto padded = catbird::testing::pad(app_message());

  const auto response = world.post("sendMessage", send_body(padded), alice + "#phone");

  EXPECT_EQ(json_of(response), Json({{"messageId", ulid},
                                     {"receivedAt", "2023-11-14T22:13:20.000Z"},
                                     {"seq", 9},
                                     {"epoch", 5}}));
  const auto& [id, command] = world.gateway.commands.back();
  const auto& send = world.gateway.last<core::SendMessage>();
  EXPECT_EQ(id.value, convo);
  EXPECT_EQ(command.caller.user.value, alice);
  EXPECT_EQ(command.caller.device.value, "phone");
  EXPECT_EQ(command.tag, world.tags.of(id, core::Did(alice)));
  EXPECT_EQ(send.id.value, ulid);
  EXPECT_EQ(send.kind, core::Kind::app);
  EXPECT_EQ(send.group_id, at.group_id);
  EXPECT_EQ(send.epoch, core::Epoch(5));
  EXPECT_EQ(*send.bytes, padded);
  EXPECT_EQ(world.gateway.deadlines.back(),
            world.loop.now() + world.services.settings.ask_deadline);
}

TEST(SendMessage, takes_proposals_of_members) {
  World world;
  const catbird::testing::Signer signer(1, "s");

  for (const auto& bytes : {make_private_message(at, mls::ContentType::proposal, Bytes{1}),
                            catbird::testing::make_public_proposal(signer, {.at = at})}) {
    EXPECT_EQ(world.post("sendMessage", send_body(bytes)).status, 200);
    EXPECT_EQ(world.gateway.last<core::SendMessage>().kind, core::Kind::proposal);
  }
}

TEST(SendMessage, says_conflict_for_a_stale_epoch) {
  World world;
  world.gateway.answer = [](const core::Command&) -> Result<core::Outcome> {
    return std::unexpected(Error{Errc::epoch_mismatch, {}, EpochClash{7, 5}, 0});
  };

  const auto response = world.post("sendMessage", send_body(app_message()));

  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(error_of(response), "Conflict");
  EXPECT_EQ(json_of(response)["message"], "EpochMismatch: serverEpoch=7 clientEpoch=5");
}

TEST(SendMessage, passes_other_refusals_on_under_their_own_names) {
  World world;
  for (const auto& [code, name] : std::map<Errc, std::string>{{Errc::not_member, "NotMember"},
                                                              {Errc::conflict, "Conflict"},
                                                              {Errc::overloaded, "Overloaded"}}) {
    world.gateway.answer = [refusal = code](const core::Command&) -> Result<core::Outcome> {
      return fail(refusal);
    };

    EXPECT_EQ(error_of(world.post("sendMessage", send_body(app_message()))), name);
  }
}

TEST(SendMessage, refuses_what_does_not_fit_together_without_asking) {
  World world;
  const catbird::testing::Signer signer(1, "s");
  std::vector<Json> wrong;
  auto with = [&](const char* name, const Json& value) {
    wrong.push_back(send_body(app_message()));
    wrong.back()[name] = value;
  };
  with("msgId", "short");
  with("msgId", std::string(26, '!'));
  with("msgId", std::string(13, 'a') + "-" + std::string(12, 'a'));
  with("msgId", nullptr);
  with("convoId", "");
  with("epoch", 4);
  with("epoch", -1);
  with("epoch", "5");
  with("epoch", nullptr);
  with("paddedSize", 1);
  with("delivery", "sometimes");
  with("idempotencyKey", "a b");
  with("ciphertext", nullptr);
  with("ciphertext", {{"$bytes", ""}});
  for (const auto& bytes : {make_private_message(at, mls::ContentType::commit, Bytes{1}),
                            catbird::testing::make_public_commit(signer, {.at = at}),
                            catbird::testing::make_welcome(1, std::vector<Bytes>{Bytes(32, 1)}),
                            Bytes{0, 0, 0, 1, 1, 1}}) {
    wrong.push_back(send_body(bytes));
  }
  for (const auto& body : wrong) {
    const auto response = world.post("sendMessage", body);

    EXPECT_EQ(response.status, 400) << body.dump();
    EXPECT_EQ(error_of(response), "InvalidRequest") << body.dump();
  }
  EXPECT_TRUE(world.gateway.commands.empty());
}

TEST(SendMessage, has_an_honest_answer_for_the_too_large) {
  World world;
  const auto large = send_body(Bytes(core::blob_bytes_max + 1));

  EXPECT_EQ(world.post("sendMessage", large).status, 413);
  EXPECT_EQ(error_of(world.post("sendMessage", large)), "MessageTooLarge");
}

TEST(SendMessage, passes_an_ephemeral_message_on_without_storing_it) {
  World world;
  world.create(convo, {alice, bob});
  world.answer_access_from_store();
  auto ephemeral = send_body(Bytes(512));  // no MLS inside
  ephemeral["epoch"] = 0;
  ephemeral["delivery"] = "ephemeral";
  const auto before = world.gateway.commands.size();

  const auto answer = world.post("sendMessage", ephemeral);

  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(json_of(answer)["seq"], 0);
  EXPECT_EQ(world.gateway.commands.size(), before) << "no command";
  ephemeral["delivery"] = "somehow";
  EXPECT_EQ(world.post("sendMessage", ephemeral).status, 400);
}

class GetMessages : public ::testing::Test {
 protected:
  GetMessages() {
    world.create(convo, {alice, bob});
    for (const auto* id : {"m1", "m2", "m3"}) world.message(convo, id);
    world.answer_access_from_store();
  }
  std::vector<int> seqs(const std::string& query, const std::string& user = bob) {
    last = world.get("getMessages", "convoId=" + convo + query, user);
    std::vector<int> out;
    for (const auto& message : json_of(last).value("messages", Json::array())) {
      out.push_back(message["seq"]);
    }
    return out;
  }

  World world;
  http::Response last;
};

TEST_F(GetMessages, gives_everything_from_the_first_readable_row) {
  EXPECT_EQ(seqs(""), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(json_of(last)["lastSeq"], 3);
}

TEST_F(GetMessages, continues_after_a_seq_or_a_message) {
  EXPECT_EQ(seqs("&sinceSeq=1"), (std::vector<int>{2, 3}));
  EXPECT_EQ(seqs("&sinceMessage=m2"), (std::vector<int>{3}));
  EXPECT_EQ(seqs("&sinceSeq=0&sinceMessage=m2"), (std::vector<int>{1, 2, 3}));
  EXPECT_TRUE(seqs("&sinceMessage=unknown").empty());
  EXPECT_TRUE(seqs("&sinceSeq=3").empty());
  EXPECT_FALSE(json_of(last).contains("lastSeq"));
  EXPECT_TRUE(seqs("&sinceSeq=9223372036854775807").empty());
}

TEST_F(GetMessages, keeps_the_limit) {
  EXPECT_EQ(seqs("&limit=2"), (std::vector<int>{1, 2}));
  for (const auto* limit : {"&limit=0", "&limit=101", "&limit=x"}) {
    seqs(limit);
    EXPECT_EQ(last.status, 400) << limit;
  }
}

TEST_F(GetMessages, shows_a_newcomer_nothing_from_before_it_joined) {
  world.add(convo, carol);
  world.message(convo, "m4");

  EXPECT_EQ(seqs("", carol), (std::vector<int>{5}));
  EXPECT_EQ(seqs("&sinceSeq=0", carol), (std::vector<int>{5}));
  EXPECT_EQ(seqs("&sinceMessage=m1", carol), (std::vector<int>{5}));
}

TEST_F(GetMessages, shows_a_departed_member_its_window_and_moves_no_mark) {
  world.remove(convo, bob);
  world.message(convo, "m4");

  EXPECT_EQ(seqs(""), (std::vector<int>{1, 2, 3, 4}));
  EXPECT_TRUE(world.gateway.commands.empty());
}

TEST_F(GetMessages, refuses_a_stranger) {
  seqs("", carol);

  EXPECT_EQ(last.status, 403);
  EXPECT_EQ(error_of(last), "NotMember");
}

TEST_F(GetMessages, moves_the_mark_to_the_last_row_it_returns) {
  seqs("&limit=2");

  EXPECT_EQ(world.gateway.commands.back().second.caller.user.value, bob);
  EXPECT_EQ(world.gateway.last<core::MarkRead>().seq, core::Seq(2));
}

TEST_F(GetMessages, leaves_a_mark_that_is_there_already) {
  world.write(convo, World::command_of(bob, core::MarkRead{core::Seq(3)}));

  EXPECT_EQ(seqs("&sinceSeq=1"), (std::vector<int>{2, 3}));
  EXPECT_TRUE(world.gateway.commands.empty());
}

TEST_F(GetMessages, waits_for_the_mark_and_fails_with_it) {
  world.gateway.answer = [](const core::Command&) -> Result<core::Outcome> {
    return fail(Errc::retry);
  };
  seqs("");
  EXPECT_EQ(last.status, 503);

  world.gateway.answer = [](const core::Command&) -> Result<core::Outcome> {
    return fail(Errc::not_member);  // removed in between
  };
  EXPECT_EQ(seqs(""), (std::vector<int>{1, 2, 3}));
}

TEST_F(GetMessages, shows_commits_with_times_as_blurred_as_those_of_messages) {
  const auto outcome = world.add(convo, carol);

  EXPECT_EQ(seqs("&sinceSeq=2"), (std::vector<int>{3, 4}));
  const auto messages = json_of(last)["messages"];
  EXPECT_EQ(messages[1]["messageType"], "commit");
  EXPECT_EQ(messages[1]["createdAt"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(messages[0]["createdAt"], messages[1]["createdAt"]);
  EXPECT_EQ(messages[1]["createdAt"], to_rfc3339(outcome.at));
}

TEST_F(GetMessages, answers_a_second_leave_with_the_time_of_the_first) {
  const auto first = world.leave(convo, bob);
  world.clock.time.value += 60'000;

  const auto again = world.leave(convo, bob);

  EXPECT_EQ(again.at, first.at);
}

TEST_F(GetMessages, passes_a_failing_store_on) {
  world.gateway.seen = [](const core::ConvoId&, const core::Did&) {
    return core::Access{true, {}, core::Seq(3), core::Seq(3), {}, {}};
  };
  world.disk.on_read([] { return true; });
  seqs("");

  EXPECT_EQ(last.status, 503);
}

TEST_F(GetMessages, is_matched_by_updateCursor_which_takes_a_seq_or_a_message) {
  auto update = [&](const std::string& cursor) {
    return world.post("updateCursor", {{"convoId", convo}, {"cursor", cursor}}, bob);
  };

  EXPECT_EQ(update("2").status, 200);
  EXPECT_EQ(world.gateway.last<core::MarkRead>().seq, core::Seq(2));
  EXPECT_EQ(update("m3").status, 200);
  EXPECT_EQ(world.gateway.last<core::MarkRead>().seq, core::Seq(3));
  EXPECT_EQ(error_of(update("m9")), "InvalidCursor");
}

}  // namespace
}  // namespace catbird::xrpc
