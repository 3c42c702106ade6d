// SPDX-License-Identifier: MIT
// What a start makes of the write-ahead log that a dead process left: an unfinished end is dropped,
// as it must be, but damage with transactions behind it is refused, or those would be lost
// unnoticed.
#include "contract/storage/fixture.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "support/rows.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace catbird::storage {
namespace {

using testing::HasSubstr;

constexpr std::size_t messages = 6;

class SqliteLog : public testing::Test {
 protected:
  /// A database whose log holds a conversation and some messages, each a transaction.
  void SetUp() override {
    auto stores = std::move(*open_sqlite({.path = dir_.file("live.db"), .on_fatal = {}}));
    Script convo("c1");
    std::vector<WriteSet> sets{convo.create()};
    for (std::size_t i = 0; i < messages; ++i) {
      EXPECT_EQ(stores->writer().commit(std::vector{sets.back()}, {}).sets.at(0).status,
                CommitStatus::committed);
      convo.follow(sets.back());
      ends_.push_back(std::filesystem::file_size(dir_.file("live.db-wal")));
      sets.push_back(convo.message("m" + std::to_string(i)));
    }
    database_ = content("live.db");
    log_ = content("live.db-wal");
  }
  std::string content(const std::string& name) {
    std::ifstream file(dir_.file(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// Messages found by a start on this log; -1 if it is refused.
  int found_with(const std::string& log) {
    std::ofstream(dir_.file("copy.db"), std::ios::binary) << database_;
    std::ofstream(dir_.file("copy.db-wal"), std::ios::binary) << log;
    std::filesystem::remove(dir_.file("copy.db-shm"));
    auto opened = open_sqlite({.path = dir_.file("copy.db"), .on_fatal = {}});
    if (!opened) {
      EXPECT_THAT(opened.error().detail, HasSubstr("is damaged before its end"));
      return -1;
    }
    EXPECT_EQ(std::filesystem::file_size(dir_.file("copy.db-wal")), 0U) << "emptied at start";
    auto reader = *(*opened)->open_reader();
    return static_cast<int>(
        test::rows_of(reader->page({core::ConvoId("c1"), core::Seq(0), core::Seq(99), 99, 0}))
            ->size());
  }

  TempDir dir_;
  std::vector<std::size_t> ends_;  // of the log after each transaction
  std::string database_;
  std::string log_;
};

TEST_F(SqliteLog, a_whole_log_is_taken_over) {
  EXPECT_EQ(found_with(log_), static_cast<int>(messages) - 1);
}

TEST_F(SqliteLog, a_log_that_ends_anywhere_is_dropped_from_its_last_whole_transaction) {
  for (std::size_t size = ends_.front(); size <= log_.size(); size += 997) {
    const auto whole = std::ranges::upper_bound(ends_, size) - ends_.begin();
    EXPECT_EQ(found_with(log_.substr(0, size)), whole - 1) << size;
  }
}

TEST_F(SqliteLog, a_flipped_bit_with_two_transactions_behind_it_is_refused) {
  const auto last_two = ends_.at(ends_.size() - 3);
  for (std::size_t at = 32; at < last_two; at += 611) {
    auto log = log_;
    log[at] = static_cast<char>(log[at] ^ 4);
    EXPECT_EQ(found_with(log), -1) << at;
  }
}

TEST_F(SqliteLog, a_spoiled_last_transaction_is_dropped) {
  for (std::size_t at = ends_.at(ends_.size() - 2); at < log_.size(); at += 611) {
    auto log = log_;
    log[at] = static_cast<char>(log[at] ^ 4);
    EXPECT_EQ(found_with(log), static_cast<int>(messages) - 2) << at;
  }
}

}  // namespace
}  // namespace catbird::storage
