// SPDX-License-Identifier: MIT
// A request of the direct gateway: one transaction that reads, decides and writes.
#include "contract/storage/fixture.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Transact : public StorageContract {
 protected:
  /// The set that `make` gives for the fence it is handed.
  WriteResult transact(const std::function<WriteSet(core::Fence)>& make) {
    return writer().transact([&](Reader&, core::Fence fence) -> Result<const WriteSet*> {
      set_ = make(fence);
      return &set_;
    });
  }
  WriteSet message_with(Script& script, const std::string& id, core::Fence fence) {
    script.fence = fence;
    return script.message(id);
  }

  WriteSet set_;
};
INSTANTIATE_TEST_SUITE_P(Backend, Transact, testing::ValuesIn(all_backends()), case_name);

TEST_P(Transact, writes_what_was_decided_with_a_fence_later_than_any_drawn) {
  Script convo("c1", *writer().draw_fence());
  write(convo, convo.create());
  const auto drawn = *writer().draw_fence();
  auto fence = core::Fence(0);

  const auto result = transact([&](core::Fence given) {
    fence = given;
    return message_with(convo, "m1", given);
  });

  EXPECT_EQ(result.status, CommitStatus::committed);
  EXPECT_EQ(result.first_position, 1U);
  EXPECT_GT(fence, drawn);
  EXPECT_EQ(reader().load(convo.id)->fence, fence);
  EXPECT_GT(*writer().draw_fence(), fence);
  EXPECT_THAT(ids(rows(convo)), ElementsAre("m1"));
}

TEST_P(Transact, reads_inside_the_transaction_what_was_written_before_it) {
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.message("m1"));
  Loaded seen;
  std::optional<core::KnownKey> key;

  const auto result =
      writer().transact([&](Reader& inside, core::Fence) -> Result<const WriteSet*> {
        seen = *inside.load(convo.id);
        key = *inside.find_key(convo.id, "mm1");
        return nullptr;
      });

  EXPECT_EQ(result.status, CommitStatus::committed);
  EXPECT_EQ(seen.state, reader().load(convo.id)->state);
  EXPECT_EQ(seen.version, convo.version);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->outcome.seq, core::Seq(1));
}

TEST_P(Transact, with_nothing_to_write_leaves_the_store_as_it_was) {
  Script convo("c1");
  write(convo, convo.create());
  const auto before = *reader().load(convo.id);

  const auto result =
      writer().transact([](Reader&, core::Fence) -> Result<const WriteSet*> { return nullptr; });

  EXPECT_EQ(result.status, CommitStatus::committed);
  EXPECT_EQ(reader().load(convo.id)->state, before.state);
  EXPECT_EQ(reader().load(convo.id)->fence, before.fence);
}

TEST_P(Transact, that_cannot_decide_says_why_and_writes_nothing) {
  const auto result = writer().transact([](Reader&, core::Fence) -> Result<const WriteSet*> {
    return fail(Errc::storage_corrupt, "scripted");
  });

  EXPECT_EQ(result.status, CommitStatus::failed);
  EXPECT_EQ(result.error.code, Errc::storage_corrupt);
}

TEST_P(Transact, refuses_a_set_that_does_not_stand_on_the_stored_row) {
  Script convo("c1");
  write(convo, convo.create());
  Script stale = convo;
  write(convo, convo.message("m1"));

  const auto result = transact([&](core::Fence fence) { return message_with(stale, "m2", fence); });

  EXPECT_EQ(result.status, CommitStatus::fenced);
  EXPECT_THAT(ids(rows(convo)), ElementsAre("m1"));
}

TEST_P(Transact, refuses_a_set_that_breaks_a_rule_and_the_next_one_goes_on) {
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.message("m1"));
  Script twice = convo;

  const auto refused =
      transact([&](core::Fence fence) { return message_with(twice, "m1", fence); });
  const auto next = transact([&](core::Fence fence) { return message_with(convo, "m2", fence); });

  EXPECT_EQ(refused.status, CommitStatus::rejected);
  EXPECT_EQ(refused.error.code, Errc::conflict);
  EXPECT_EQ(next.status, CommitStatus::committed);
  EXPECT_GE(next.first_position, 2U);
  EXPECT_THAT(ids(rows(convo)), ElementsAre("m1", "m2"));
}

TEST_P(Transact, fences_whoever_had_the_conversation_in_memory) {
  Script owner("c1", *writer().draw_fence());
  write(owner, owner.create());
  Script direct = owner;

  ASSERT_EQ(transact([&](core::Fence fence) { return message_with(direct, "m1", fence); }).status,
            CommitStatus::committed);

  EXPECT_EQ(commit({owner.message("m2")}).sets[0].status, CommitStatus::fenced);
  EXPECT_THAT(ids(rows(owner)), ElementsAre("m1"));
}

TEST_P(Transact, survives_a_reopening) {
  Script convo("c1");
  write(convo, convo.create());
  transact([&](core::Fence fence) { return message_with(convo, "m1", fence); });
  const auto fence = convo.fence;

  reopen();

  EXPECT_THAT(ids(rows(convo)), ElementsAre("m1"));
  EXPECT_GT(*writer().draw_fence(), fence);
}

}  // namespace
}  // namespace catbird::storage
