// SPDX-License-Identifier: MIT
// The faults and crashes of the store in memory, which the simulator relies on.
#include "contract/storage/fixture.hpp"
#include "storage/memory/memory_store.hpp"
#include "support/rows.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Memory : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(commit(convo_.create()).status, CommitStatus::committed);
    convo_.follow(convo_.create());
  }
  WriteResult commit(const WriteSet& set) {
    return stores_->writer().commit(std::vector{set}, {}).sets.at(0);
  }
  std::vector<std::string> stored() {
    auto reader = *stores_->open_reader();
    std::vector<std::string> ids;
    for (const auto& row :
         *test::rows_of(reader->page({convo_.id, core::Seq(0), core::Seq(99), 99, 0}))) {
      ids.push_back(row.id.value);
    }
    return ids;
  }

  MemoryDisk disk_;
  std::unique_ptr<Stores> stores_ = open_memory(disk_);
  Script convo_{"c1"};
};

TEST_F(Memory, faults_before_the_write_store_nothing_and_say_what_happened) {
  disk_.inject(Fault::fail_before);
  disk_.inject(Fault::full);
  disk_.inject(Fault::unknown_lost);
  const auto set = convo_.message("m1");

  const auto failed = commit(set);
  const auto full = commit(set);
  const auto unknown = commit(set);

  EXPECT_EQ(failed.status, CommitStatus::failed);
  EXPECT_EQ(failed.error.code, Errc::storage_unavailable);
  EXPECT_EQ(full.status, CommitStatus::failed);
  EXPECT_EQ(full.error.code, Errc::storage_full);
  EXPECT_EQ(unknown.status, CommitStatus::unknown);
  EXPECT_THAT(stored(), IsEmpty());
  EXPECT_EQ(commit(set).status, CommitStatus::committed);
}

TEST_F(Memory, an_unknown_outcome_may_have_been_durable) {
  disk_.inject(Fault::unknown_committed);

  EXPECT_EQ(commit(convo_.message("m1")).status, CommitStatus::unknown);
  disk_.crash();

  EXPECT_THAT(stored(), ElementsAre("m1"));
}

TEST_F(Memory, an_unsynced_tail_is_visible_and_lost_by_a_crash) {
  const auto first = convo_.message("m1");
  commit(first);
  convo_.follow(first);
  disk_.inject(Fault::unknown_unsynced);
  disk_.inject(Fault::committed_unsynced);
  const auto second = convo_.message("m2");
  EXPECT_EQ(commit(second).status, CommitStatus::unknown);
  convo_.follow(second);
  EXPECT_EQ(
      commit(convo_.commit("k1", {core::MemberAdded{carol, false, core::Seq(3), start}})).status,
      CommitStatus::committed);
  EXPECT_THAT(stored(), ElementsAre("m1", "m2", "k1"));
  EXPECT_EQ(disk_.unsynced_batches(), 2U);

  disk_.crash();

  EXPECT_THAT(stored(), ElementsAre("m1"));
  auto reader = *stores_->open_reader();
  EXPECT_EQ(reader->load(convo_.id)->state.members.size(), 2U);
  EXPECT_EQ(*reader->last_position(), 1U);
  EXPECT_EQ(commit(second).status, CommitStatus::committed);
}

TEST_F(Memory, the_next_sync_saves_the_tail_before_it) {
  disk_.inject(Fault::committed_unsynced);
  const auto first = convo_.message("m1");
  commit(first);
  convo_.follow(first);
  commit(convo_.message("m2"));

  disk_.crash();

  EXPECT_THAT(stored(), ElementsAre("m1", "m2"));
}

TEST_F(Memory, a_conversation_created_in_the_lost_tail_is_gone) {
  disk_.inject(Fault::committed_unsynced);
  disk_.inject(Fault::committed_unsynced);
  Script other("c2");
  const auto create = other.create();
  commit(create);
  other.follow(create);
  commit(other.message("m1"));

  disk_.crash();

  EXPECT_FALSE((*stores_->open_reader())->load(other.id)->state.exists);
  EXPECT_EQ(commit(create).status, CommitStatus::committed);
}

TEST_F(Memory, a_fault_can_be_chosen_for_every_batch_and_read) {
  int batches = 0;
  disk_.on_batch([&](auto sets, auto) {
    EXPECT_EQ(sets.size(), 1U);
    return ++batches == 1 ? Fault::fail_before : Fault::none;
  });
  bool reads_fail = true;
  disk_.on_read([&] { return reads_fail; });
  auto reader = *stores_->open_reader();

  EXPECT_EQ(commit(convo_.message("m1")).status, CommitStatus::failed);
  EXPECT_EQ(commit(convo_.message("m1")).status, CommitStatus::committed);
  EXPECT_EQ(reader->load(convo_.id).error().code, Errc::storage_unavailable);
  reads_fail = false;
  EXPECT_TRUE(reader->load(convo_.id));
}

TEST_F(Memory, a_new_incarnation_is_told_from_the_old_one) {
  const auto before = stores_->incarnation();

  disk_.new_incarnation();

  EXPECT_NE(stores_->incarnation(), before);
}

}  // namespace
}  // namespace catbird::storage
