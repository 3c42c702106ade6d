// SPDX-License-Identifier: MIT
// What strangers' servers say is read with care: nothing of theirs is believed beyond their own.
#include "social/block_records.hpp"

#include "social/limits.hpp"

#include <gtest/gtest.h>

#include <string>

namespace catbird::social {
namespace {

const std::string did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

std::string document(const std::string& services) {
  return R"({"id":")" + did + R"(","service":)" + services + "}";
}
std::string service(const std::string& endpoint, const std::string& id = "#atproto_pds") {
  return R"([{"id":")" + id + R"(","type":"AtprotoPersonalDataServer","serviceEndpoint":")" +
         endpoint + R"("}])";
}
std::string record(const std::string& owner, const std::string& subject,
                   const std::string& more = R"(,"createdAt":"2026-11-01T10:00:00.000Z")") {
  return R"({"uri":"at://)" + owner +
         R"(/app.bsky.graph.block/3k1","cid":"x","value":{"subject":")" + subject + "\"" + more +
         "}}";
}

TEST(DataServerOf, finds_the_service_by_its_id_short_or_whole) {
  for (const auto& id : {std::string("#atproto_pds"), did + "#atproto_pds"}) {
    const auto found = data_server_of(document(service("https://pds.example.com/", id)), did);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ(**found, "https://pds.example.com");
  }
}

TEST(DataServerOf, knows_users_without_one) {
  for (const auto* services : {"[]", R"([{"id":"#other","type":"x","serviceEndpoint":"y"}])"}) {
    const auto found = data_server_of(document(services), did);
    ASSERT_TRUE(found);
    EXPECT_FALSE(*found);
  }
  const auto none = data_server_of(R"({"id":")" + did + R"("})", did);
  EXPECT_TRUE(none && !*none);
}

TEST(DataServerOf, refuses_whatever_is_no_plain_origin) {
  for (const auto* endpoint :
       {"ftp://pds.example.com", "https://", "https://a b", "https://user@host", "pds.example.com",
        "https://pds.example.com/path", "https://pds.example.com?x=", "https://pds.example.com#x",
        "https://https://pds.example.com"}) {
    EXPECT_FALSE(data_server_of(document(service(endpoint)), did)) << endpoint;
  }
  EXPECT_FALSE(data_server_of("not json", did));
  EXPECT_FALSE(data_server_of(R"({"id":"did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"})", did));
}

TEST(BlockPageUrl, escapes_what_others_wrote) {
  EXPECT_EQ(block_page_url("https://pds.example.com", "did:web:localhost%3A80", "a&b=c"),
            "https://pds.example.com/xrpc/com.atproto.repo.listRecords?collection="
            "app.bsky.graph.block&limit=100&repo=did%3Aweb%3Alocalhost%253A80&cursor=a%26b%3Dc");
}

TEST(BlockPage, takes_the_owners_records_and_leaves_out_the_rest) {
  const auto page = read_block_page(
      R"({"cursor":"next","records":[)" + record(did, "did:web:a.example") + "," +
          record("did:web:somebody.else", "did:web:b.example") + "," + record(did, "no did") + "," +
          record(did, "did:web:c.example", "") + R"(,{"uri":5},"text",{"uri":"at://)" + did +
          R"(/app.bsky.graph.block/1"}]})",
      did);
  ASSERT_TRUE(page);
  ASSERT_EQ(page->blocks.size(), 2U);
  EXPECT_EQ(page->blocks[0].subject, "did:web:a.example");
  EXPECT_EQ(page->blocks[0].at, *from_rfc3339("2026-11-01T10:00:00.000Z"));
  EXPECT_EQ(page->blocks[1].subject, "did:web:c.example");
  EXPECT_EQ(page->blocks[1].at, Timestamp{});
  EXPECT_EQ(page->cursor, "next");
}

TEST(BlockPage, ends_where_no_records_come_whatever_the_cursor_says) {
  const auto page = read_block_page(R"({"cursor":"next","records":[]})", did);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->cursor, "");
}

TEST(BlockPage, refuses_what_it_cannot_read) {
  EXPECT_FALSE(read_block_page("", did));
  EXPECT_FALSE(read_block_page("[]", did));
  EXPECT_FALSE(read_block_page("{}", did));
  const auto long_cursor = std::string(cursor_bytes_max + 1, 'a');
  EXPECT_FALSE(read_block_page(
      R"({"cursor":")" + long_cursor + R"(","records":[)" + record(did, "did:web:a.example") + "]}",
      did));
}

TEST(BlockList, finds_each_subject_once) {
  const BlockList list({{"did:b", "at://2", Timestamp{2}},
                        {"did:a", "at://1", Timestamp{1}},
                        {"did:b", "at://3", Timestamp{3}}});
  EXPECT_EQ(list.size(), 2U);
  ASSERT_NE(list.find("did:a"), nullptr);
  EXPECT_EQ(list.find("did:b")->uri, "at://2");
  EXPECT_EQ(list.find("did:c"), nullptr);
}

}  // namespace
}  // namespace catbird::social
