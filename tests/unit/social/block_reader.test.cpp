// SPDX-License-Identifier: MIT
// How long a list is good for, and what stands in for it while nobody answers.
#include "social/block_reader.hpp"

#include "social/limits.hpp"
#include "unit/auth/auth_world.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace catbird::social {
namespace {

using auth::alice;
using auth::bob;
using auth::DidFetchReply;

const std::string server = "https://pds.example.com";

class BlockReaderTest : public ::testing::Test {
 protected:
  void host(const std::string& user) {
    directory.serve(user, R"({"id":")" + user +
                              R"(","service":[{"id":"#atproto_pds","type":)"
                              R"("AtprotoPersonalDataServer","serviceEndpoint":")" +
                              server + R"("}]})");
  }
  static std::string page(const std::string& user, const std::vector<std::string>& subjects,
                          const std::string& cursor = "") {
    std::string records;
    for (const auto& subject : subjects) {
      records += (records.empty() ? "" : ",");
      records += R"({"uri":"at://)" + user + "/app.bsky.graph.block/" +
                 std::to_string(records.size()) + R"(","value":{"subject":")" + subject + R"("}})";
    }
    return R"({"records":[)" + records + "]" +
           (cursor.empty() ? "" : R"(,"cursor":")" + cursor + "\"") + "}";
  }
  void serve(const std::string& user, const std::vector<std::string>& subjects) {
    host(user);
    directory.serve_url(block_page_url_of(user), DidFetchReply{200, page(user, subjects)});
  }
  static std::string block_page_url_of(const std::string& user, const std::string& cursor = "") {
    return server +
           "/xrpc/com.atproto.repo.listRecords?collection=app.bsky.graph.block&limit=100&repo="
           "did%3Aplc%3A" +
           user.substr(8) + (cursor.empty() ? "" : "&cursor=" + cursor);
  }
  /// Nothing: not answered yet.
  std::optional<Result<BlockListPtr>> ask(const std::string& user, Age age = Age::cached) {
    auto answer = std::make_shared<std::optional<Result<BlockListPtr>>>();
    reader->of(user, age, [answer](Result<BlockListPtr> list) {
      ASSERT_FALSE(answer->has_value()) << "answered twice";
      answer->emplace(std::move(list));
    });
    answers.push_back(answer);
    return *answer;
  }
  /// Whether `user` is said to block `other`.
  bool blocks(const std::string& user, const std::string& other, Age age = Age::cached) {
    const auto answer = ask(user, age);
    EXPECT_TRUE(answer && *answer);
    return answer && *answer && (**answer)->find(other) != nullptr;
  }
  bool fails(const std::string& user, Age age = Age::cached) {
    const auto answer = ask(user, age);
    return answer && !*answer && answer->error().code == Errc::bluesky_unavailable;
  }
  void pass_ms(std::int64_t ms) { clock.advance(ms / 1000); }

  auth::ManualClock clock;
  auth::Directory directory;
  std::shared_ptr<BlockReader> reader = std::make_shared<BlockReader>(
      BlockReaderOptions{.plc_directory_url = "https://plc.directory"}, clock, directory.fetch());
  std::vector<std::shared_ptr<std::optional<Result<BlockListPtr>>>> answers;
};

TEST_F(BlockReaderTest, keeps_a_list_for_its_time_and_not_longer) {
  serve(alice, {bob});
  EXPECT_TRUE(blocks(alice, bob));
  serve(alice, {});
  pass_ms(fresh_ms - 1000);
  EXPECT_TRUE(blocks(alice, bob));
  pass_ms(2000);
  EXPECT_FALSE(blocks(alice, bob));
}

TEST_F(BlockReaderTest, reads_again_for_who_asks_for_now) {
  serve(alice, {});
  EXPECT_FALSE(blocks(alice, bob));
  serve(alice, {bob});
  EXPECT_TRUE(blocks(alice, bob, Age::now));
  EXPECT_TRUE(blocks(alice, bob)) << "and everyone has it";
}

TEST_F(BlockReaderTest, does_not_take_an_answer_that_was_under_way_for_now) {
  serve(alice, {});
  directory.hold();
  ask(alice);
  EXPECT_FALSE(ask(alice, Age::now)) << "waits";
  const auto asked = directory.asked_count();
  directory.release();
  EXPECT_EQ(directory.asked_count(), asked + 3) << "its page, and both texts once more";
  for (const auto& answer : answers) EXPECT_TRUE(answer->has_value());
}

TEST_F(BlockReaderTest, joins_a_reading_that_is_under_way) {
  serve(alice, {bob});
  directory.hold();
  ask(alice);
  ask(alice);
  EXPECT_EQ(directory.asked_count(), 1U);
  directory.release();
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer->has_value() && **answer);
    EXPECT_NE((***answer)->find(bob), nullptr);
  }
}

TEST_F(BlockReaderTest, follows_the_pages) {
  host(alice);
  directory.serve_url(block_page_url_of(alice), {200, page(alice, {"did:web:a.example"}, "p2")});
  directory.serve_url(block_page_url_of(alice, "p2"), {200, page(alice, {bob})});
  EXPECT_TRUE(blocks(alice, bob));
  EXPECT_EQ(reader->blocks_kept(), 2U);
}

TEST_F(BlockReaderTest, ends_after_the_most_pages_with_what_it_has) {
  host(alice);
  directory.serve_url(block_page_url_of(alice), {200, page(alice, {bob}, "more")});
  directory.serve_url(block_page_url_of(alice, "more"), {200, page(alice, {bob}, "more")});
  EXPECT_TRUE(blocks(alice, bob));
  EXPECT_EQ(directory.asked_count(), pages_max + 1);
}

TEST_F(BlockReaderTest, takes_users_without_document_or_repository_for_harmless) {
  EXPECT_FALSE(blocks(bob, alice)) << "the directory says 404";
  host(alice);
  directory.serve_url(block_page_url_of(alice), {400, R"({"error":"RepoNotFound"})"});
  EXPECT_FALSE(blocks(alice, bob));
}

TEST_F(BlockReaderTest, says_when_it_does_not_know) {
  host(alice);
  for (const auto& reply : {DidFetchReply{500, ""}, DidFetchReply{200, "what"},
                            DidFetchReply{400, R"({"error":"InvalidRequest"})"}}) {
    directory.serve_url(block_page_url_of(alice), reply);
    EXPECT_TRUE(fails(alice));
    pass_ms(unreachable_ms + 1000);
  }
}

TEST_F(BlockReaderTest, does_not_ask_a_silent_server_again_at_once) {
  serve(alice, {bob});
  directory.go_down();
  EXPECT_TRUE(fails(alice));
  const auto asked = directory.asked_count();
  directory.come_back();
  EXPECT_TRUE(fails(alice));
  EXPECT_EQ(directory.asked_count(), asked);
  pass_ms(unreachable_ms + 1000);
  EXPECT_TRUE(blocks(alice, bob));
}

TEST_F(BlockReaderTest, lets_a_known_list_stand_in_but_not_for_now) {
  serve(alice, {bob});
  EXPECT_TRUE(blocks(alice, bob));
  pass_ms(fresh_ms + 1000);
  directory.go_down();
  EXPECT_TRUE(blocks(alice, bob));
  EXPECT_TRUE(fails(alice, Age::now));
  EXPECT_TRUE(blocks(alice, bob));
  pass_ms(stale_ms_max);
  EXPECT_TRUE(fails(alice));
}

TEST_F(BlockReaderTest, asks_for_few_at_a_time_and_for_all_in_the_end) {
  directory.hold();
  std::vector<std::string> users;
  for (char last = 'a'; last <= 'z'; ++last) {
    users.push_back("did:plc:aaaaaaaaaaaaaaaaaaaaaaa" + std::string(1, last));
    ask(users.back());
  }
  EXPECT_EQ(directory.asked_count(), flights_max);
  directory.release();
  EXPECT_EQ(directory.asked_count(), users.size());
  for (const auto& answer : answers) EXPECT_TRUE(answer->has_value() && **answer);
}

TEST_F(BlockReaderTest, forgets_the_longest_unused_list_when_there_are_too_many_blocks) {
  // Of one user no more are read than pages_max times a page: many users fill it.
  std::vector<std::string> many(records_per_page * 40);
  for (std::size_t i = 0; i < many.size(); ++i)
    many[i] = "did:web:u" + std::to_string(i) + ".example";
  const auto users = blocks_kept_max / many.size() + 5;
  std::string user = "did:plc:" + std::string(24, 'b');
  for (std::size_t i = 0; i < users; ++i) {
    user[8] = static_cast<char>('a' + i / 26);
    user[9] = static_cast<char>('a' + i % 26);
    serve(user, many);
    ASSERT_TRUE(ask(user));
    ASSERT_LE(reader->blocks_kept(), blocks_kept_max);
  }
  EXPECT_GT(reader->blocks_kept(), blocks_kept_max - many.size());
  const auto asked = directory.asked_count();
  ask(user);
  EXPECT_EQ(directory.asked_count(), asked) << "the last one is kept";
}

TEST_F(BlockReaderTest, never_goes_where_no_did_may_lead) {
  EXPECT_TRUE(fails("did:web:localhost"));
  EXPECT_TRUE(fails("did:web:server.internal"));
  EXPECT_EQ(directory.asked_count(), 0U);
}

}  // namespace
}  // namespace catbird::social
