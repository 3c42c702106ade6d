// SPDX-License-Identifier: MIT
#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include <random>

namespace catbird {
namespace {

Bytes bytes_of(std::string_view text) {
  const ByteView view = view_of(text);
  return {view.begin(), view.end()};
}

TEST(Hex, writes_lower_case_and_reads_both_cases) {
  const Bytes bytes{0x00, 0x9F, 0xAB, 0xFF};

  EXPECT_EQ(to_hex(bytes), "009fabff");
  EXPECT_EQ(from_hex("009fabff"), bytes);
  EXPECT_EQ(from_hex("009FABFF"), bytes);
  EXPECT_EQ(from_hex(""), Bytes{});
}

TEST(Hex, refuses_odd_lengths_and_foreign_characters) {
  for (const char* text : {"0", "abc", "0g", "g0", " 0", "0x", "/0", ":0", "@0", "`0"}) {
    EXPECT_FALSE(from_hex(text)) << text;
  }
}

// The vectors of RFC 4648 §10.
TEST(Base64, agrees_with_the_vectors_of_the_rfc) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(view_of(plain)), encoded);
    EXPECT_EQ(from_base64(encoded), bytes_of(plain));
  }
}

TEST(Base64, reads_unpadded_and_url_safe_text_but_not_a_mix_of_alphabets) {
  const Bytes bytes{0xFB, 0xEF, 0xBE, 0xFF, 0xFF};

  EXPECT_EQ(from_base64("++++//8="), bytes);
  EXPECT_EQ(from_base64("++++//8"), bytes);
  EXPECT_EQ(from_base64("----__8="), bytes);
  EXPECT_EQ(from_base64("----__8"), bytes);
  EXPECT_FALSE(from_base64("++++__8="));
  EXPECT_FALSE(from_base64("+++-//8="));
}

TEST(Base64, refuses_white_space_wrong_padding_and_trailing_bits) {
  for (const char* text :
       {"Zg=",  "Zg===", "Zm9v=",    "Zm9v====", "Z",    "Zm9vY",   "=",
        "==",   "====",  "Zg==Zg==", "Z===",     "Zm=v", "Zm9v\n",  " Zm9v",
        "Zm 9", "Zh==",  "Zh",       "Zm9=",     "Zm9",  "Zm\x80v", "Zm9v*g=="}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
  EXPECT_FALSE(from_base64(std::string_view("Zm9\0", 4)));
}

TEST(Base64url, is_strict_about_alphabet_and_padding) {
  EXPECT_EQ(to_base64url(Bytes{0xFB, 0xEF, 0xBE, 0xFF, 0xFF}), "----__8");
  EXPECT_EQ(from_base64url("----__8"), (Bytes{0xFB, 0xEF, 0xBE, 0xFF, 0xFF}));
  EXPECT_EQ(from_base64url(""), Bytes{});
  for (const char* text : {"Zg==", "++++", "////", "Zh", "Z", "Zm9v\n", "Zm9v."}) {
    EXPECT_FALSE(from_base64url(text)) << text;
  }
}

TEST(Base64, returns_every_length_and_value_it_was_given) {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());

    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
    EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
  }
}

TEST(Base64, every_accepted_text_is_the_only_one_for_its_bytes_in_its_form) {
  std::mt19937 random(11);
  const std::string_view letters = "ABab01+/-_=\n";
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string text(1 + random() % 8, 'A');
    for (auto& c : text) c = letters[random() % letters.size()];

    const auto bytes = from_base64url(text);
    if (!bytes) continue;
    ++accepted;
    EXPECT_EQ(to_base64url(*bytes), text);
  }
  EXPECT_GT(accepted, 1000);
}

}  // namespace
}  // namespace catbird
