// SPDX-License-Identifier: MIT
// Backup while the server runs, and restore into a new incarnation.
#include "contract/storage/fixture.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "support/rows.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::HasSubstr;

class Backup : public testing::Test {
 protected:
  void SetUp() override {
    live_ = open(dir_.file("live.db"));
    write(convo_.create({bob}));
    write(convo_.message("m1"));
  }
  static std::unique_ptr<Stores> open(const std::string& path) {
    auto opened = open_sqlite({.path = path, .on_fatal = {}});
    EXPECT_TRUE(opened) << opened.error().detail;
    return opened ? std::move(*opened) : nullptr;
  }
  void write(const WriteSet& set) {
    ASSERT_EQ(live_->writer().commit(std::vector{set}, {}).sets.at(0).status,
              CommitStatus::committed);
    convo_.follow(set);
  }
  std::size_t rows(Stores& stores) {
    return test::rows_of(
               (*stores.open_reader())->page({convo_.id, core::Seq(0), core::Seq(99), 99, 0}))
        ->size();
  }

  TempDir dir_;
  Script convo_{"c1"};
  std::unique_ptr<Stores> live_;
};

TEST_F(Backup, of_a_running_store_has_all_that_was_committed_and_nothing_beside_it) {
  const auto copy = dir_.file("copy.db");

  auto done = backup_sqlite(dir_.file("live.db"), copy);
  write(convo_.message("m2"));

  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_FALSE(std::filesystem::exists(copy + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(copy + ".partial"));
  auto opened = open(copy);
  EXPECT_EQ(rows(*opened), 1U);
  EXPECT_EQ(opened->incarnation(), live_->incarnation());
}

TEST_F(Backup, overwrites_nothing) {
  ASSERT_TRUE(backup_sqlite(dir_.file("live.db"), dir_.file("copy.db")));

  EXPECT_THAT(backup_sqlite(dir_.file("live.db"), dir_.file("copy.db")).error().detail,
              HasSubstr("exists already"));
  EXPECT_FALSE(backup_sqlite(dir_.file("nothing.db"), dir_.file("other.db")));
  EXPECT_FALSE(std::filesystem::exists(dir_.file("other.db")));
}

TEST_F(Backup, of_a_damaged_database_fails_and_leaves_no_copy) {
  {
    auto database = *sqlite::Database::open(dir_.file("live.db"), sqlite::Database::Mode::writer);
    sqlite3_db_config(database->handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    ASSERT_TRUE(database->execute("UPDATE message SET body=x'00'"));
  }

  auto done = backup_sqlite(dir_.file("live.db"), dir_.file("copy.db"));

  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::storage_corrupt);
  EXPECT_FALSE(std::filesystem::exists(dir_.file("copy.db")));
}

TEST_F(Backup, restored_has_the_rows_and_a_new_incarnation) {
  ASSERT_TRUE(backup_sqlite(dir_.file("live.db"), dir_.file("copy.db")));

  auto done = restore_sqlite(dir_.file("copy.db"), dir_.file("restored.db"));

  ASSERT_TRUE(done) << done.error().detail;
  auto restored = open(dir_.file("restored.db"));
  EXPECT_EQ(rows(*restored), 1U);
  EXPECT_NE(restored->incarnation(), live_->incarnation());
}

TEST_F(Backup, is_not_restored_over_a_database_in_use_or_unasked) {
  const auto live = dir_.file("live.db");
  ASSERT_TRUE(backup_sqlite(live, dir_.file("copy.db")));

  EXPECT_THAT(restore_sqlite(dir_.file("copy.db"), live, Existing::replace).error().detail,
              HasSubstr("another process is using"));
  write(convo_.message("m2"));
  const auto before = live_->incarnation();
  live_.reset();
  EXPECT_THAT(restore_sqlite(dir_.file("copy.db"), live).error().detail,
              HasSubstr("exists already"));
  ASSERT_TRUE(restore_sqlite(dir_.file("copy.db"), live, Existing::replace));

  auto restored = open(live);
  EXPECT_EQ(rows(*restored), 1U);
  EXPECT_NE(restored->incarnation(), before);
  EXPECT_EQ(rows(*open(live + ".before-restore")), 2U);
}

}  // namespace
}  // namespace catbird::storage
