// SPDX-License-Identifier: MIT
#include "auth/jwt.hpp"

#include "auth/limits.hpp"

#include <gtest/gtest.h>

namespace catbird::auth {
namespace {

const std::string header = R"({"alg":"ES256K"})";
const std::string claims =
    R"({"iss":"i","aud":"a","lxm":"l","jti":"j","exp":1800000060,"iat":1800000000})";

std::string segments(std::string_view head, std::string_view body, std::string_view end = "AAAA") {
  return to_base64url(view_of(head)) + "." + to_base64url(view_of(body)) + "." + std::string(end);
}
std::string told(const std::string& text) {
  const auto token = parse_token(text);
  return token ? "ok" : token.error().detail;
}

TEST(Jwt, reads_what_it_needs) {
  const std::string text = segments(header, claims);
  const auto token = parse_token(text);

  ASSERT_TRUE(token);
  EXPECT_EQ(token->alg, Alg::es256k);
  EXPECT_EQ(token->iss, "i");
  EXPECT_EQ(token->aud, "a");
  EXPECT_EQ(token->lxm, "l");
  EXPECT_EQ(token->jti, "j");
  EXPECT_EQ(token->exp, 1'800'000'060);
  EXPECT_EQ(token->iat, 1'800'000'000);
  EXPECT_FALSE(token->nbf);
  EXPECT_EQ(token->signed_text, text.substr(0, text.rfind('.')));
  EXPECT_EQ(token->signature, Bytes(3, 0));
}

TEST(Jwt, has_exactly_three_strict_base64url_segments) {
  const std::string good = segments(header, claims);
  const std::string h = to_base64url(view_of(header));
  const std::string c = to_base64url(view_of(claims));
  for (const std::string& text : std::vector<std::string>{"",
                                                          ".",
                                                          "..",
                                                          "...",
                                                          h,
                                                          h + "." + c,
                                                          good + ".",
                                                          good + ".AAAA",
                                                          "." + good,
                                                          h + ".." + c,
                                                          ".." + c,
                                                          h + ".",
                                                          good + "=",
                                                          good + "\n",
                                                          " " + good,
                                                          h + "=." + c + ".AAAA",
                                                          h + "." + c + ".A",
                                                          h + "." + c + ".AB",
                                                          h + "." + c + ".A+/A",
                                                          h + ".e30K*." + c}) {
    EXPECT_EQ(told(text), "token is malformed") << text;
  }
}

TEST(Jwt, refuses_segments_that_are_no_json_object) {
  for (const char* body : {"[]", "null", "1", "\"x\"", "{", "{}x", "{\"a\":}", "\xFF",
                           "{\"a\":NaN}", "{'iss':'i'}", "{\"iss\":\"\xC0\x80\"}"}) {
    EXPECT_EQ(told(segments(header, body)), "token is malformed") << body;
    EXPECT_EQ(told(segments(body, claims)), "token is malformed") << body;
  }
}

TEST(Jwt, refuses_two_members_of_one_name_at_any_depth_and_spelling) {
  for (const char* extra : {R"("iss":"x",)", R"("\u0069ss":"x",)", R"("o":{"a":1,"a":2},)",
                            R"("o":[{"a":[{"b":1,"b":2}]}],)"}) {
    EXPECT_EQ(told(segments(header, "{" + std::string(extra) + claims.substr(1))),
              "token is ambiguous")
        << extra;
  }
  EXPECT_EQ(told(segments(R"({"alg":"none",)" + header.substr(1), claims)), "token is ambiguous");
  EXPECT_EQ(told(segments(header, R"({"o":{"a":1},"p":{"a":1},)" + claims.substr(1))), "ok");
}

TEST(Jwt, bounds_size_members_and_depth) {
  const auto filled = [&](std::size_t size) {
    return R"({"x":")" + std::string(size, 'x') + R"(",)" + claims.substr(1);
  };
  EXPECT_EQ(told(segments(header, filled(5'500))), "ok");
  EXPECT_EQ(told(segments(header, filled(token_bytes_max))), "token is too large");

  std::string members = "{";
  for (int i = 0; i < 100; ++i) members += "\"m" + std::to_string(i) + "\":0,";
  EXPECT_EQ(told(segments(header, members + claims.substr(1))), "token is ambiguous");

  const std::string deep = std::string(2'000, '[') + std::string(2'000, ']');
  EXPECT_NE(told(segments(header, R"({"x":)" + deep + "," + claims.substr(1))), "ok");
}

TEST(Jwt, takes_times_only_as_numbers_a_clock_can_have) {
  const auto with_exp = [&](const std::string& exp) {
    std::string body = claims;
    return told(segments(header, body.replace(body.find("1800000060"), 10, exp)));
  };
  EXPECT_EQ(with_exp("1800000060.75"), "ok");
  EXPECT_EQ(with_exp("1.8e9"), "ok");
  for (const char* exp : {"-1", "1e300", "9007199254740993e3", "\"1800000060\"", "null", "true",
                          "[1800000060]", "18446744073709551615", "-9223372036854775808"}) {
    EXPECT_EQ(with_exp(exp), "exp is missing") << exp;
  }
  EXPECT_EQ(told(segments(header, R"({"nbf":"x",)" + claims.substr(1))), "nbf is not a time");
  EXPECT_EQ(told(segments(header, R"({"nbf":null,)" + claims.substr(1))), "nbf is not a time");
}

}  // namespace
}  // namespace catbird::auth
