// SPDX-License-Identifier: MIT
#include "xrpc/json_writer.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace catbird::xrpc {
namespace {

TEST(JsonWriter, puts_commas_between_members_and_items_only) {
  JsonWriter json;

  json.open().key("a").number(1).key("b").open_list().number(1).number(2).close_list();
  json.key("c").open().close().key("d").open_list().close_list();
  json.key("e").open_list().open().key("f").boolean(true).close().open().close().close_list();
  json.key("g").boolean(false).close();

  EXPECT_EQ(json.take(), R"({"a":1,"b":[1,2],"c":{},"d":[],"e":[{"f":true},{}],"g":false})");
}

TEST(JsonWriter, writes_numbers_in_full) {
  JsonWriter json;

  json.open_list().number(std::numeric_limits<std::uint64_t>::max());
  json.number(std::numeric_limits<std::int64_t>::min()).number(0U).close_list();

  EXPECT_EQ(json.take(), "[18446744073709551615,-9223372036854775808,0]");
}

TEST(JsonWriter, escapes_what_json_cannot_hold) {
  JsonWriter json;

  json.open_list().text(std::string_view("\"\\/\n\t\x01\x1f\0é", 10)).text("").close_list();

  EXPECT_EQ(json.take(), "[\"\\\"\\\\/\\u000a\\u0009\\u0001\\u001f\\u0000é\",\"\"]");
}

TEST(JsonWriter, is_read_back_as_it_was_for_every_character) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all.push_back(static_cast<char>(c));
  JsonWriter json;

  json.open().key(all).text(all).close();

  const auto read = nlohmann::json::parse(json.take());
  EXPECT_EQ(read.at(all).get<std::string>(), all);
}

TEST(JsonWriter, writes_bytes_in_both_forms) {
  JsonWriter json;
  const Bytes bytes{0xfb, 0xff};

  json.open().key("a").bytes(bytes).key("b").base64(bytes).key("c").number(1).close();

  EXPECT_EQ(json.take(), R"({"a":{"$bytes":"+/8="},"b":"+/8=","c":1})");
}

TEST(JsonWriter, knows_its_size) {
  JsonWriter json;

  json.open().key("a").number(10).close();

  EXPECT_EQ(json.size(), 8U);
}

}  // namespace
}  // namespace catbird::xrpc
