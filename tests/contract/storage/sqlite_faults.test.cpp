// SPDX-License-Identifier: MIT
// A full disk is a refusal; a failing disk is the end of the process (reliability D5, DECISIONS
// 24).
#include "contract/storage/faulty_vfs.hpp"
#include "contract/storage/fixture.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "support/rows.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const UserJob no_work{[](UserWriter&) -> Result<void> { return {}; }};

class SqliteFaults : public testing::Test {
 protected:
  void SetUp() override { open(0); }
  void open(std::uint32_t pages_max) {
    stores_.reset();
    auto opened = open_sqlite({.path = dir_.file("catbird.db"),
                               .pages_max = pages_max,
                               .on_fatal = [this](std::string why) { fatal_.push_back(why); }});
    ASSERT_TRUE(opened) << opened.error().detail;
    stores_ = std::move(*opened);
  }
  BatchResult commit(const std::vector<WriteSet>& sets) {
    return stores_->writer().commit(sets, std::vector{no_work});
  }
  void write(Script& script, const WriteSet& set) {
    ASSERT_EQ(commit({set}).sets.at(0).status, CommitStatus::committed);
    script.follow(set);
  }
  std::vector<std::string> stored(const Script& script) {
    std::vector<std::string> ids;
    auto reader = *stores_->open_reader();
    for (const auto& row :
         *test::rows_of(reader->page({script.id, core::Seq(0), core::Seq(99), 99, 0}))) {
      ids.push_back(row.id.value);
    }
    return ids;
  }

  FaultyVfs vfs_;
  TempDir dir_;
  std::vector<std::string> fatal_;
  std::unique_ptr<Stores> stores_;
  Script convo_{"c1"};
};

TEST_F(SqliteFaults, a_full_store_refuses_the_whole_batch_and_goes_on) {
  write(convo_, convo_.create());
  open(100);
  Script other("c2");

  const auto result =
      commit({other.create(), convo_.message("big", alice, std::string(1 << 20, 'x'))});

  for (const auto& one : result.sets) {
    EXPECT_EQ(one.status, CommitStatus::failed);
    EXPECT_EQ(one.error.code, Errc::storage_full);
  }
  EXPECT_EQ(result.jobs.at(0).status, CommitStatus::failed);
  EXPECT_EQ(result.jobs.at(0).error.code, Errc::storage_full);
  EXPECT_THAT(fatal_, IsEmpty());
  write(convo_, convo_.message("small"));
  EXPECT_THAT(stored(convo_), ElementsAre("small"));
  EXPECT_FALSE((*stores_->open_reader())->load(other.id)->state.exists);
}

TEST_F(SqliteFaults, a_failed_sync_leaves_the_outcome_unknown_and_ends_the_store) {
  write(convo_, convo_.create());
  FaultyVfs::fail_next_sync("-wal");
  const auto set = convo_.message("m1");

  const auto result = commit({set});

  EXPECT_EQ(result.sets.at(0).status, CommitStatus::unknown);
  EXPECT_EQ(result.jobs.at(0).status, CommitStatus::unknown);
  EXPECT_THAT(fatal_, SizeIs(1));
  // The disk works again, but what the failed sync lost is not known: nothing more is accepted.
  EXPECT_EQ(commit({set}).sets.at(0).status, CommitStatus::failed);
  EXPECT_FALSE(stores_->writer().draw_fence());
  EXPECT_THAT(fatal_, SizeIs(1));
}

TEST_F(SqliteFaults, after_an_unknown_outcome_a_restart_finds_either_all_or_nothing) {
  write(convo_, convo_.create());
  write(convo_, convo_.message("m1"));
  FaultyVfs::fail_next_sync("-wal");
  const auto set = convo_.commit("k1", {core::MemberAdded{carol, false, core::Seq(2), start}});
  commit({set});

  open(0);

  const auto loaded = *(*stores_->open_reader())->load(convo_.id);
  const bool all = loaded.state.last_seq == core::Seq(2);
  EXPECT_EQ(loaded.state.members.size(), all ? 3U : 2U);
  EXPECT_EQ(loaded.state.epoch, core::Epoch(all ? 1 : 0));
  EXPECT_EQ(stored(convo_).size(), all ? 2U : 1U);
}

TEST_F(SqliteFaults, a_failed_write_of_the_log_ends_the_store) {
  write(convo_, convo_.create());
  FaultyVfs::fail_next_write("-wal");

  const auto result = commit({convo_.message("m1")});

  EXPECT_NE(result.sets.at(0).status, CommitStatus::committed);
  EXPECT_THAT(fatal_, SizeIs(1));
  EXPECT_EQ(commit({convo_.message("m1")}).sets.at(0).status, CommitStatus::failed);
}

TEST_F(SqliteFaults, a_checkpoint_that_fails_ends_the_store_but_not_what_it_acknowledged) {
  write(convo_, convo_.create());
  write(convo_, convo_.message("m1", alice, std::string(2 << 20, 'x')));
  FaultyVfs::fail_next_sync("catbird.db");

  stores_->writer().idle();

  EXPECT_THAT(fatal_, SizeIs(1));
  EXPECT_EQ(commit({convo_.message("m2")}).sets.at(0).status, CommitStatus::failed);
  open(0);
  EXPECT_THAT(stored(convo_), ElementsAre("m1"));
}

}  // namespace
}  // namespace catbird::storage
