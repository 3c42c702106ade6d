// SPDX-License-Identifier: MIT
#include "base/digest.hpp"

#include <gtest/gtest.h>

#include <string>

namespace catbird {
namespace {

std::string hex(const Sha256& digest) { return to_hex(digest); }

TEST(Digest, of_nothing_and_of_the_example_in_fips_180) {
  EXPECT_EQ(hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256({view_of("abc")})),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, parts_are_one_text) {
  EXPECT_EQ(sha256({view_of("a"), {}, view_of("bc")}), sha256({view_of("abc")}));
}

// RFC 4231.
TEST(Digest, hmac_with_a_short_key) {
  EXPECT_EQ(hex(HmacSha256(view_of("Jefe")).of({view_of("what do ya want for nothing?")})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(Digest, hmac_with_a_key_above_a_block) {
  const Bytes key(131, 0xaa);
  EXPECT_EQ(
      hex(HmacSha256(key).of({view_of("Test Using Larger Than Block-Size Key - Hash Key First")})),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Digest, hmac_of_parts_is_that_of_the_whole) {
  const HmacSha256 key(view_of("key"));
  EXPECT_EQ(key.of({view_of("ab"), view_of("c")}), key.of({view_of("abc")}));
  EXPECT_NE(key.of({view_of("abc")}), HmacSha256(view_of("kez")).of({view_of("abc")}));
}

}  // namespace
}  // namespace catbird
