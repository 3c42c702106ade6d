// SPDX-License-Identifier: MIT
#include "xrpc/sender_tags.hpp"

#include <gtest/gtest.h>

#include <set>

namespace catbird::xrpc {
namespace {

const core::ConvoId convo("aa01");
const core::Did user("did:web:alice.example");

TEST(SenderTags, repeat_for_the_same_user_conversation_and_key) {
  EXPECT_EQ(SenderTags(Bytes(32, 1)).of(convo, user), SenderTags(Bytes(32, 1)).of(convo, user));
}

TEST(SenderTags, differ_by_conversation_user_and_key) {
  const SenderTags tags(Bytes(32, 1));

  const std::set<core::SenderTag> all{tags.of(convo, user), tags.of(core::ConvoId("aa02"), user),
                                      tags.of(convo, core::Did("did:web:bob.example")),
                                      SenderTags(Bytes(32, 2)).of(convo, user)};

  EXPECT_EQ(all.size(), 4U);
}

TEST(SenderTags, do_not_run_conversation_and_user_together) {
  const SenderTags tags(Bytes(32, 1));

  EXPECT_NE(tags.of(core::ConvoId("aa"), core::Did("bdid")),
            tags.of(core::ConvoId("aab"), core::Did("did")));
}

}  // namespace
}  // namespace catbird::xrpc
