// SPDX-License-Identifier: MIT
#include "xrpc/token_seal.hpp"

#include <gtest/gtest.h>

#include <string>

namespace catbird::xrpc {
namespace {

const core::Caller phone{core::Did("did:plc:alice"), core::DeviceId("phone")};
const core::Caller laptop{core::Did("did:plc:alice"), core::DeviceId("laptop")};

TEST(TokenSeal, opens_what_it_sealed_and_shows_nothing_of_it) {
  const TokenSeal seal(Bytes(32, 1));
  for (const std::string token : {"", "t", "a token of the platform, somewhat longer"}) {
    const auto sealed = seal.seal(phone, token);
    EXPECT_EQ(seal.open(phone, sealed), token);
    EXPECT_EQ(sealed.size(), token.size() + 28);
    if (token.size() > 4) {
      EXPECT_EQ(text_of(sealed).find(token), std::string_view::npos);
    }
    EXPECT_NE(seal.seal(phone, token), sealed) << "a new nonce every time";
  }
}

TEST(TokenSeal, is_bound_to_the_device_and_the_secret) {
  const TokenSeal seal(Bytes(32, 1));
  const auto sealed = seal.seal(phone, "token");
  EXPECT_EQ(seal.open(laptop, sealed), std::nullopt);
  EXPECT_EQ(TokenSeal(Bytes(32, 2)).open(phone, sealed), std::nullopt);
}

TEST(TokenSeal, opens_nothing_that_was_touched) {
  const TokenSeal seal(Bytes(32, 1));
  const auto sealed = seal.seal(phone, "token");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto touched = sealed;
    touched[i] ^= 1U;
    EXPECT_EQ(seal.open(phone, touched), std::nullopt) << i;
    EXPECT_EQ(seal.open(phone, ByteView(sealed).first(i)), std::nullopt) << i;
  }
}

}  // namespace
}  // namespace catbird::xrpc
