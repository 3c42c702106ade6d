// SPDX-License-Identifier: MIT
// Pages, commits, the log across conversations, and the keys of a conversation.
#include "contract/storage/fixture.hpp"
#include "support/rows.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using core::KeyWindow;
using testing::ElementsAre;
using testing::IsEmpty;

class History : public StorageContract {
 protected:
  // m1 m2 k1 m3 m4 k2 p1: bodies of 10 bytes.
  void fill(Script& convo) {
    write(convo, convo.create());
    for (const auto* id : {"m1", "m2", "k1", "m3", "m4", "k2", "p1"}) {
      const auto kind = *id == 'k'   ? core::Kind::commit
                        : *id == 'p' ? core::Kind::proposal
                                     : core::Kind::app;
      write(convo, convo.set({convo.row(kind, id, alice, std::string(8, '.') + id)}));
    }
  }
  PageQuery window(const Script& convo, std::uint64_t from, std::uint64_t until) {
    return {convo.id, core::Seq(from), core::Seq(until), 50, 0};
  }
  std::vector<std::string> page(const PageQuery& query) {
    return ids(*test::rows_of(reader().page(query)));
  }
  std::vector<std::string> commits(CommitQuery query) { return ids(*reader().commits(query)); }
};
INSTANTIATE_TEST_SUITE_P(Backend, History, testing::ValuesIn(all_backends()), case_name);

TEST_P(History, a_row_is_read_as_it_was_written) {
  Script convo("c1");
  fill(convo);

  const auto found = rows(convo);

  ASSERT_EQ(found.size(), 7U);
  const auto& message = found[1];
  EXPECT_EQ(message.convo, convo.id);
  EXPECT_EQ(message.seq, core::Seq(2));
  EXPECT_EQ(message.epoch, core::Epoch(0));
  EXPECT_EQ(message.kind, core::Kind::app);
  EXPECT_EQ(message.id, core::MsgId("m2"));
  EXPECT_EQ(message.committer, core::Did());
  EXPECT_EQ(message.at, after(2000));
  EXPECT_EQ(text(message.bytes), "........m2");
  const auto& commit = found[2];
  EXPECT_EQ(commit.kind, core::Kind::commit);
  EXPECT_EQ(commit.epoch, core::Epoch(1));
  EXPECT_EQ(commit.committer, alice);
  EXPECT_EQ(found[6].kind, core::Kind::proposal);
}

TEST_P(History, an_empty_body_and_any_byte_survive) {
  Script convo("c1");
  write(convo, convo.create());
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));

  write(convo, convo.message("m1", alice, ""));
  write(convo, convo.message("m2", alice, all));

  EXPECT_EQ(text(rows(convo).at(0).bytes), "");
  EXPECT_EQ(text(rows(convo).at(1).bytes), all);
}

TEST_P(History, a_page_stays_in_its_window) {
  Script convo("c1");
  fill(convo);

  EXPECT_THAT(page(window(convo, 0, 2)), ElementsAre("m1", "m2"));
  EXPECT_THAT(page(window(convo, 2, 4)), ElementsAre("k1", "m3"));
  EXPECT_THAT(page(window(convo, 5, 999)), ElementsAre("k2", "p1"));
  EXPECT_THAT(page(window(convo, 7, 999)), IsEmpty());
  EXPECT_THAT(page(window(convo, UINT64_MAX, UINT64_MAX)), IsEmpty());
  EXPECT_THAT(page(window(convo, 4, 2)), IsEmpty());
  EXPECT_THAT(page({core::ConvoId("nothing"), core::Seq(0), core::Seq(9), 5, 0}), IsEmpty());
}

TEST_P(History, a_page_is_bounded_by_rows_and_by_bytes_and_holds_at_least_one) {
  Script convo("c1");
  fill(convo);
  auto query = window(convo, 0, 7);

  query.rows_max = 3;
  EXPECT_THAT(page(query), ElementsAre("m1", "m2", "k1"));
  query.bytes_max = 20;
  EXPECT_THAT(page(query), ElementsAre("m1", "m2"));
  query.bytes_max = 29;
  EXPECT_THAT(page(query), ElementsAre("m1", "m2"));
  query.bytes_max = 1;
  EXPECT_THAT(page(query), ElementsAre("m1"));
}

TEST_P(History, pages_from_any_cursor_join_without_gap_or_overlap) {
  Script convo("c1");
  fill(convo);

  for (const std::size_t size : {1U, 2U, 3U, 5U, 7U}) {
    std::vector<std::string> joined;
    core::Seq cursor(0);
    while (true) {
      const auto next = *test::rows_of(reader().page({convo.id, cursor, core::Seq(7), size, 0}));
      if (next.empty()) break;
      for (const auto& row : next) joined.push_back(row.id.value);
      cursor = next.back().seq;
    }
    EXPECT_THAT(joined, ElementsAre("m1", "m2", "k1", "m3", "m4", "k2", "p1"));
  }
}

TEST_P(History, commits_are_selected_by_the_epoch_they_lead_to_and_by_the_window) {
  Script convo("c1");
  fill(convo);
  const CommitQuery all{convo.id,     core::Epoch(0),        core::Epoch(UINT64_MAX),
                        core::Seq(0), core::Seq(UINT64_MAX), 0};
  auto first = all;
  first.to = core::Epoch(1);
  auto second = all;
  second.from = core::Epoch(2);
  second.to = core::Epoch(2);
  auto late_joiner = all;
  late_joiner.after = core::Seq(3);
  auto departed = all;
  departed.until = core::Seq(5);
  auto small = all;
  small.bytes_max = 5;

  EXPECT_THAT(commits(all), ElementsAre("k1", "k2"));
  EXPECT_THAT(commits(first), ElementsAre("k1"));
  EXPECT_THAT(commits(second), ElementsAre("k2"));
  EXPECT_THAT(commits(late_joiner), ElementsAre("k2"));
  EXPECT_THAT(commits(departed), ElementsAre("k1"));
  EXPECT_THAT(commits(small), ElementsAre("k1"));
}

TEST_P(History, the_log_is_in_commit_order_over_the_conversations_asked_for) {
  Script one("c1");
  Script two("c2");
  Script three("c3");
  for (auto* script : {&one, &two, &three}) write(*script, script->create());
  for (const auto* id : {"1", "2", "3"}) {
    write(two, two.message(std::string("b") + id));
    write(one, one.message(std::string("a") + id));
    write(three, three.message(std::string("x") + id));
  }
  const std::vector<core::ConvoId> both{one.id, two.id, one.id, core::ConvoId("nothing")};
  auto log = [&](std::uint64_t from, std::size_t rows_max, std::size_t bytes_max = 0) {
    return *reader().log({both, from, rows_max, bytes_max});
  };

  const auto all = log(0, 0);
  EXPECT_THAT(ids(all), ElementsAre("b1", "a1", "b2", "a2", "b3", "a3"));
  EXPECT_EQ(all[1].convo, one.id);
  EXPECT_THAT(ids(log(0, 2)), ElementsAre("b1", "a1"));
  EXPECT_THAT(ids(log(all[1].position, 2)), ElementsAre("b2", "a2"));
  EXPECT_THAT(ids(log(all[2].position, 0)), ElementsAre("a2", "b3", "a3"));
  EXPECT_THAT(ids(log(0, 0, 11)), ElementsAre("b1", "a1"));
  EXPECT_THAT(ids(log(0, 0, 1)), ElementsAre("b1"));
  EXPECT_THAT(log(*reader().last_position(), 0), IsEmpty());
  EXPECT_THAT(log(UINT64_MAX, 0), IsEmpty());
}

TEST_P(History, the_log_finds_its_place_in_a_long_conversation) {
  Script convo("c1");
  write(convo, convo.create());
  for (int i = 1; i <= 40; ++i) write(convo, convo.message("m" + std::to_string(i)));

  for (std::uint64_t from = 0; from <= 40; ++from) {
    const auto found = *reader().log({{convo.id}, from, 0, 0});
    ASSERT_EQ(found.size(), 40 - from);
    if (!found.empty()) EXPECT_EQ(found.front().position, from + 1);
  }
}

TEST_P(History, an_empty_store_has_no_position) { EXPECT_EQ(*reader().last_position(), 0U); }

TEST_P(History, a_message_is_found_by_its_id) {
  Script convo("c1");
  fill(convo);

  EXPECT_EQ(*reader().seq_of(convo.id, core::MsgId("m3")), core::Seq(4));
  EXPECT_FALSE(*reader().seq_of(convo.id, core::MsgId("m9")));
  EXPECT_FALSE(*reader().seq_of(core::ConvoId("nothing"), core::MsgId("m3")));
}

TEST_P(History, keys_come_newest_first_and_say_whether_they_are_all) {
  Script convo("c1");
  write(convo, convo.create());
  const core::RequestKey first{"addMembers", "r1", {1}};
  const core::RequestKey second{"sendMessage", "r2", {2}};
  const core::Outcome outcome{core::Seq(0), core::Epoch(4), after(9), "detail\nof it"};
  write(convo, convo.message("m1", bob));
  write(convo, convo.set({core::RequestRecorded{alice, first, outcome}}));
  write(convo, convo.commit("k1"));
  write(convo, convo.set({convo.row(core::Kind::proposal, "p1", bob),
                          core::RequestRecorded{bob, second, {}}}));

  const auto all = *reader().load_keys(convo.id, 4);
  const auto some = *reader().load_keys(convo.id, 3);

  std::vector<std::string> names;
  for (const auto& known : all.keys) names.push_back(known.key);
  EXPECT_THAT(
      names,
      ElementsAre(KeyWindow::request_key(bob, second), KeyWindow::message_key(core::MsgId("p1")),
                  KeyWindow::request_key(alice, first), KeyWindow::message_key(core::MsgId("m1"))));
  EXPECT_TRUE(all.complete);
  EXPECT_EQ(all.keys[2].payload, first.payload);
  EXPECT_EQ(all.keys[2].outcome, outcome);
  EXPECT_EQ(all.keys[3].tag, tag_of(bob));
  EXPECT_EQ(all.keys[3].outcome, (core::Outcome{core::Seq(1), core::Epoch(0), start, {}}));
  EXPECT_EQ(some.keys.size(), 3U);
  EXPECT_FALSE(some.complete);
  EXPECT_TRUE(reader().load_keys(core::ConvoId("nothing"), 5)->complete);
}

TEST_P(History, a_key_is_found_by_its_name) {
  Script one("c1");
  Script two("c2");
  write(one, one.create());
  write(two, two.create());
  const core::RequestKey key{"addMembers", "r1", {7}};
  write(one, one.message("m1", bob));
  write(one, one.commit("k1", {core::RequestRecorded{alice, key, {core::Seq(2), {}, {}, "d"}}}));

  const auto message = *reader().find_key(one.id, KeyWindow::message_key(core::MsgId("m1")));
  const auto elsewhere = *reader().find_key(two.id, KeyWindow::message_key(core::MsgId("m1")));
  const auto commit = *reader().find_key(one.id, KeyWindow::message_key(core::MsgId("k1")));
  const auto request = *reader().find_key(two.id, KeyWindow::request_key(alice, key));
  const auto other = *reader().find_key(one.id, KeyWindow::request_key(bob, key));

  ASSERT_TRUE(message);
  EXPECT_EQ(message->tag, tag_of(bob));
  EXPECT_EQ(message->outcome.seq, core::Seq(1));
  EXPECT_FALSE(elsewhere);
  EXPECT_FALSE(commit) << "a commit has no id of a client's choice";
  ASSERT_TRUE(request) << "request keys are looked up everywhere";
  EXPECT_EQ(request->payload, key.payload);
  EXPECT_EQ(request->outcome.detail, "d");
  EXPECT_FALSE(other);
}

TEST_P(History, a_reader_sees_what_was_durable_when_it_asked) {
  Script convo("c1");
  write(convo, convo.create());
  EXPECT_THAT(rows(convo), IsEmpty());

  write(convo, convo.message("m1"));

  EXPECT_THAT(ids(rows(convo)), ElementsAre("m1"));
}

}  // namespace
}  // namespace catbird::storage
