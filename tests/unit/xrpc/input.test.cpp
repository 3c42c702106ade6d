// SPDX-License-Identifier: MIT
#include "xrpc/input.hpp"

#include <gtest/gtest.h>

namespace catbird::xrpc {
namespace {

Result<Body> parse(std::string text) {
  text.reserve(text.size() + 64);  // as http::Request::body promises
  return Body::parse(text);
}

Body body_of(std::string text) {
  auto body = parse(std::move(text));
  if (!body) throw std::runtime_error("the test's body is not JSON");
  return std::move(*body);
}

core::Hash digest(std::string text) { return body_of(std::move(text)).digest(); }

template <class T>
std::string detail(const Result<T>& result) {
  if (result) return "no failure";
  EXPECT_EQ(result.error().code, Errc::invalid_request);
  return result.error().detail;
}

TEST(Body, takes_one_json_object_and_nothing_else) {
  EXPECT_TRUE(parse("{}").has_value());
  EXPECT_TRUE(parse(" {\"a\":1}\n").has_value());
  for (const auto* text : {"", " ", "[]", "null", "1", "\"a\"", "{", "{}{}", "{} x", "{\"a\"}",
                           "{'a':1}", "{\"a\":1,}", "{\"a\":\xff}", "{\"a\":\"\xff\"}"}) {
    EXPECT_EQ(detail(parse(text)), "the body is not a JSON object") << text;
  }
}

TEST(Body, limits_the_depth) {
  auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
  };

  EXPECT_TRUE(parse(nested(20)).has_value());
  EXPECT_FALSE(parse(nested(40)).has_value());
  EXPECT_FALSE(parse(nested(100'000)).has_value());
}

// Neither C strings nor PostgreSQL's text can hold it.
TEST(Body, refuses_the_nul_character_wherever_it_stands) {
  for (const auto* text : {R"({"a":"\u0000"})", R"({"a":"b\u0000c"})", R"({"a\u0000":1})",
                           R"({"a":[{"b":["c\u0000"]}]})", R"({"$bytes\u0000":""})"}) {
    EXPECT_EQ(detail(parse(text)), "the body holds the character U+0000") << text;
  }
}

TEST(Fields, reads_each_type) {
  const auto body = body_of(
      R"({"t":"é","n":-3,"b":true,"l":["x","y"],"o":{"i":1},"os":[{"i":1},{"i":2}],"y":"AQI="})");
  const auto& fields = body.fields();

  EXPECT_EQ(*fields.text("t"), "é");
  EXPECT_EQ(*fields.integer("n"), -3);
  EXPECT_EQ(*fields.boolean("b"), true);
  EXPECT_EQ(*fields.maybe_texts("l"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(*(*fields.maybe_object("o"))->integer("i"), 1);
  ASSERT_EQ(fields.maybe_objects("os")->size(), 2U);
  EXPECT_EQ(*(*fields.maybe_objects("os"))[1].integer("i"), 2);
  EXPECT_EQ(*fields.bytes("y"), (Bytes{1, 2}));
}

TEST(Fields, names_the_field_of_the_wrong_type) {
  const auto body = body_of(R"({"n":1,"t":"x","l":[1],"f":1.5,"os":["x"],"y":{"bytes":"AQ=="}})");
  const auto& fields = body.fields();

  EXPECT_EQ(detail(fields.text("n")), "n must be a string");
  EXPECT_EQ(detail(fields.integer("t")), "t must be an integer");
  EXPECT_EQ(detail(fields.integer("f")), "f must be an integer");
  EXPECT_EQ(detail(fields.boolean("n")), "n must be true or false");
  EXPECT_EQ(detail(fields.maybe_texts("t")), "t must be a list of strings");
  EXPECT_EQ(detail(fields.maybe_texts("l")), "l must be a list of strings");
  EXPECT_EQ(detail(fields.maybe_object("n")), "n must be an object");
  EXPECT_EQ(detail(fields.maybe_objects("os")), "os must be a list of objects");
  EXPECT_EQ(detail(fields.maybe_objects("t")), "t must be a list of objects");
  EXPECT_EQ(detail(fields.bytes("n")), "n must be base64 or an object with $bytes");
  EXPECT_EQ(detail(fields.bytes("y")), "y must be base64 or an object with $bytes");
}

TEST(Fields, treats_null_as_missing) {
  const auto body = body_of(R"({"a":null})");
  const auto& fields = body.fields();

  for (const auto* name : {"a", "absent"}) {
    EXPECT_EQ(*fields.maybe_text(name), std::nullopt);
    EXPECT_EQ(*fields.maybe_integer(name), std::nullopt);
    EXPECT_EQ(*fields.maybe_bytes(name), std::nullopt);
    EXPECT_FALSE(fields.maybe_object(name)->has_value());
    EXPECT_TRUE(fields.maybe_texts(name)->empty());
    EXPECT_TRUE(fields.maybe_objects(name)->empty());
    EXPECT_EQ(detail(fields.text(name)), std::string(name) + " is missing");
    EXPECT_EQ(detail(fields.integer(name)), std::string(name) + " is missing");
    EXPECT_EQ(detail(fields.boolean(name)), std::string(name) + " is missing");
    EXPECT_EQ(detail(fields.bytes(name)), std::string(name) + " is missing");
  }
}

TEST(Fields, takes_bytes_in_every_form_clients_send) {
  for (const auto* text : {R"({"y":"-_8="})", R"({"y":"-_8"})", R"({"y":"+/8="})", R"({"y":"+/8"})",
                           R"({"y":{"$bytes":"+/8="}})", R"({"y":{"$bytes":"-_8"}})"}) {
    EXPECT_EQ(*body_of(text).fields().bytes("y"), (Bytes{0xfb, 0xff})) << text;
  }
  EXPECT_TRUE(body_of(R"({"y":""})").fields().bytes("y")->empty());
}

TEST(Fields, refuses_bytes_that_are_not_base64) {
  for (const auto* text : {R"({"y":"A"})", R"({"y":"+_8="})", R"({"y":"AQ =="})", R"({"y":"AR=="})",
                           R"({"y":{"$bytes":"!"}})"}) {
    EXPECT_EQ(detail(body_of(text).fields().bytes("y")), "y must be valid base64") << text;
  }
}

TEST(Fields, never_quote_what_was_sent) {
  const auto body = body_of(R"({"n":"secret"})");

  EXPECT_EQ(detail(body.fields().integer("n")).find("secret"), std::string::npos);
}

TEST(Fields, outlive_the_body_they_came_from) {
  auto body = std::make_unique<Body>(body_of(R"({"o":{"t":"still here, and long enough"}})"));
  auto inner = **body->fields().maybe_object("o");

  body.reset();

  EXPECT_EQ(*inner.text("t"), "still here, and long enough");
}

TEST(BodyDigest, does_not_depend_on_key_order_white_space_or_null_members) {
  const auto first = digest(R"({"a":1,"b":{"c":[1,2],"d":"x"}})");

  EXPECT_EQ(digest(R"({ "b" : {"d":"x" , "c":[1, 2]}, "a":1 })"), first);
  EXPECT_EQ(digest(R"({"a":1,"n":null,"b":{"c":[1,2],"d":"x","e":null}})"), first);
  EXPECT_EQ(digest(R"({"a":1,"b":{"c":[1,2],"d":"\u0078"}})"), first);
}

TEST(BodyDigest, depends_on_every_value_and_on_where_it_stands) {
  const std::vector<std::string> all{
      R"({})",
      R"({"a":1})",
      R"({"a":2})",
      R"({"a":-1})",
      R"({"b":1})",
      R"({"a":"1"})",
      R"({"a":[1]})",
      R"({"a":[1,2]})",
      R"({"a":[2,1]})",
      R"({"a":[12]})",
      R"({"a":[[1],2]})",
      R"({"a":[null]})",
      R"({"a":[]})",
      R"({"a":{}})",
      R"({"a":{"b":1}})",
      R"({"a":{},"b":1})",
      R"({"a":true})",
      R"({"a":false})",
      R"({"a":""})",
      R"({"a":"x","b":"y"})",
      R"({"a":"y","b":"x"})",
      R"({"a":"s1:x"})",
      R"({"ab":"c"})",
      R"({"a":"bc"})",
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(digest(all[i]), digest(all[j])) << all[i] << " and " << all[j];
    }
  }
}

}  // namespace
}  // namespace catbird::xrpc
