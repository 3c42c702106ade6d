// SPDX-License-Identifier: MIT
// What only the SQLite backend promises: whose file it is, how durable, and that damage is noticed.
#include "contract/storage/fixture.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/file.hpp"
#include "storage/sqlite/migrations.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "support/rows.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <iterator>

namespace catbird::storage {
namespace {

using sqlite::Database;
using testing::HasSubstr;

class Sqlite : public testing::Test {
 protected:
  std::string path() const { return dir_.file("data/catbird.db"); }
  void open() {
    stores_.reset();
    auto opened = open_sqlite({.path = path(), .on_fatal = {}});
    ASSERT_TRUE(opened) << opened.error().detail;
    stores_ = std::move(*opened);
  }
  std::string refusal() {
    auto opened = open_sqlite({.path = path(), .on_fatal = {}});
    return opened ? "opened" : opened.error().detail;
  }
  CommitStatus write(Script& script, const WriteSet& set) {
    const auto result = stores_->writer().commit(std::vector{set}, {}).sets.at(0);
    if (result.status == CommitStatus::committed) script.follow(set);
    return result.status;
  }
  /// Runs SQL behind the store's back.
  void tamper(const std::string& sql) {
    sqlite::prepare_file(path()).value();
    sqlite::create_file(path()).value();
    auto database = *Database::open(path(), Database::Mode::writer);
    auto done = database->execute(sql);
    ASSERT_TRUE(done) << done.error().detail;
  }
  /// Flips one bit of the first place in the closed file where `needle` stands.
  void flip(const std::string& needle) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(file)), {});
    const auto at = all.find(needle);
    ASSERT_NE(at, std::string::npos) << needle;
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(needle.front() ^ 1));
  }
  std::unique_ptr<Reader> reader() { return std::move(*stores_->open_reader()); }

  TempDir dir_;
  std::unique_ptr<Stores> stores_;
};

TEST_F(Sqlite, makes_its_directory_and_a_file_for_its_owner_only) {
  open();

  const auto mode = std::filesystem::status(path()).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::all,
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Sqlite, a_second_owner_is_refused_until_the_first_is_gone) {
  open();

  EXPECT_THAT(refusal(), HasSubstr("another process is using this database"));
  stores_.reset();
  EXPECT_EQ(refusal(), "opened");
}

TEST_F(Sqlite, a_name_that_is_not_a_plain_file_is_refused) {
  for (const auto* name : {"", ":memory:", "file:x?mode=memory"}) {
    EXPECT_FALSE(open_sqlite({.path = name, .on_fatal = {}})) << name;
  }
}

TEST_F(Sqlite, a_newer_schema_is_refused) {
  open();
  stores_.reset();
  tamper("PRAGMA user_version=" + std::to_string(sqlite::migrations().size() + 1));

  EXPECT_THAT(refusal(), HasSubstr("newer than this program"));
}

TEST_F(Sqlite, a_database_of_another_program_is_refused_and_left_alone) {
  tamper("CREATE TABLE theirs (x)");

  EXPECT_THAT(refusal(), HasSubstr("another program"));
  auto database = *Database::open(path(), Database::Mode::reader);
  EXPECT_EQ(*database->ask("PRAGMA journal_mode"), "delete");
  EXPECT_EQ(*database->ask("SELECT count(*) FROM sqlite_schema"), "1");
}

TEST_F(Sqlite, a_damaged_definition_is_refused_even_if_it_is_valid_sql) {
  open();
  stores_.reset();
  tamper("CREATE INDEX of_an_operator ON message (at)");
  EXPECT_EQ(refusal(), "opened");
  tamper(
      "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET"
      " sql=replace(sql, 'BETWEEN 1 AND 3', 'BETWEEN 1 AND 7') WHERE name='message'");

  EXPECT_THAT(refusal(), HasSubstr("the definition of message is damaged"));
}

TEST_F(Sqlite, a_file_that_is_no_database_is_refused) {
  sqlite::prepare_file(path()).value();
  std::ofstream(path()) << std::string(4096, 'x');

  EXPECT_THAT(refusal(), HasSubstr("not a usable SQLite database"));
}

TEST_F(Sqlite, runs_with_a_wal_and_full_sync_and_never_checkpoints_by_itself) {
  open();
  stores_.reset();
  auto database = *Database::open(path(), Database::Mode::writer);

  ASSERT_TRUE(sqlite::make_durable(*database));

  EXPECT_EQ(*database->ask("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(*database->ask("PRAGMA synchronous"), "2");
  EXPECT_EQ(*database->ask("PRAGMA wal_autocheckpoint"), "0");
  auto reader = *Database::open(path(), Database::Mode::reader);
  EXPECT_EQ(*reader->ask("PRAGMA query_only"), "1");
  EXPECT_FALSE(reader->execute("DELETE FROM meta"));
}

TEST_F(Sqlite, weaker_settings_are_refused) {
  auto in_memory = *Database::open(":memory:", Database::Mode::writer);
  EXPECT_THAT(sqlite::make_durable(*in_memory).error().detail, HasSubstr("journal_mode"));
  open();
  stores_.reset();
  auto database = *Database::open(path(), Database::Mode::writer);
  ASSERT_TRUE(database->execute("PRAGMA synchronous=NORMAL"));

  EXPECT_THAT(sqlite::check_durable(*database).error().detail, HasSubstr("synchronous"));
}

TEST_F(Sqlite, a_migration_interrupted_at_any_statement_starts_over) {
  const std::string schema = "SELECT group_concat(sql, ';') FROM sqlite_schema";
  open();
  stores_.reset();
  const auto expected = *(*Database::open(path(), Database::Mode::reader))->ask(schema);
  int interrupted = 0;
  for (int last = 0;; ++last) {
    const auto file = dir_.file("m" + std::to_string(last) + ".db");
    sqlite::create_file(file).value();
    int statement = 0;
    auto first = *Database::open(file, Database::Mode::writer);
    ASSERT_TRUE(sqlite::make_durable(*first));
    const bool whole = sqlite::migrate(*first, sqlite::migrations(), [&] {
                         return statement++ < last;
                       }).has_value();
    first.reset();

    auto second = *Database::open(file, Database::Mode::writer);
    ASSERT_TRUE(sqlite::check_ownership(*second));
    ASSERT_TRUE(sqlite::migrate(*second, sqlite::migrations()));
    EXPECT_EQ(*second->ask(schema), expected);
    EXPECT_EQ(*second->ask("PRAGMA application_id"), std::to_string(sqlite::application_id));
    if (whole) break;
    ++interrupted;
  }
  EXPECT_GT(interrupted, 20);
}

TEST_F(Sqlite, a_flipped_bit_in_any_table_is_noticed_and_never_served) {
  const core::Caller phone{bob, core::DeviceId("phone-device")};
  const auto use = [&](const std::string& needle, auto read) {
    SCOPED_TRACE(needle);
    std::filesystem::remove_all(std::filesystem::path(path()).parent_path());
    open();
    Script convo("convo-identifier");
    write(convo, convo.create({bob}));
    write(convo, convo.message("message-identifier", alice, "message body"));
    core::RequestKey key{"methodName", "request-key-text", {}};
    write(convo,
          convo.commit(
              "k1", {core::DeviceAdded{bob, phone.device, core::Seq(2)},
                     core::WelcomeStored{
                         {blob("welcome body"), {{bob, phone.device, {}}}}, core::Epoch(1), start},
                     core::GroupInfoStored{core::Epoch(1), start, blob("info body")},
                     core::RequestRecorded{alice, key, {{}, {}, {}, "the detail"}}}));
    const NewKeyPackage package{id32("ref"), id32("hash"),  1,
                                false,       after(day_ms), id32("kp body")};
    stores_->writer().commit({}, std::vector{UserJob{[&](UserWriter& users) -> Result<void> {
                               (void)users.publish(phone, package, start);
                               return {};
                             }}});
    stores_.reset();

    flip(needle);

    open();
    auto result = read(*reader(), convo.id);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::storage_corrupt);
    EXPECT_THAT(result.error().detail, testing::Not(HasSubstr("body")));
    EXPECT_GE(stores_->stats().corrupt_rows, 1U);
  };
  const PageQuery page{core::ConvoId("convo-identifier"), core::Seq(0), core::Seq(9), 9, 0};

  use("message body", [&](Reader& r, auto&) { return test::rows_of(r.page(page)); });
  use("a name", [](Reader& r, auto& id) { return r.load(id); });
  use("welcome body", [&](Reader& r, auto& id) { return r.welcome(id, phone, start); });
  use("info body", [](Reader& r, auto& id) { return r.group_info(id); });
  use("the detail", [](Reader& r, auto& id) { return r.load_keys(id, 9); });
}

TEST_F(Sqlite, damage_is_told_in_the_log_by_table_and_not_once_per_read) {
  open();
  Script convo("convo-identifier");
  write(convo, convo.create({bob}));
  write(convo, convo.message("m1", alice, "message body"));
  stores_.reset();
  flip("message body");
  open();
  auto connection = reader();
  testing::internal::CaptureStdout();

  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(test::rows_of(connection->page({convo.id, core::Seq(0), core::Seq(9), 9, 0})));
  }

  const auto log = testing::internal::GetCapturedStdout();
  EXPECT_EQ(std::ranges::count(log, '\n'), 3) << log;  // the 1st, 2nd and 4th time
  EXPECT_THAT(log, HasSubstr(R"("where":"message","times":"4")"));
  EXPECT_THAT(log, testing::Not(HasSubstr("identifier")));
  EXPECT_THAT(log, testing::Not(HasSubstr("did:plc")));
}

TEST_F(Sqlite, every_changed_column_of_every_table_breaks_the_checksum) {
  open();
  Script convo("c1");
  write(convo, convo.create({bob, carol}));
  write(convo, convo.message("m1"));
  write(convo, convo.commit(
                   "k1", {core::MemberLeft{carol, core::Seq(2), core::Epoch(1), start},
                          core::DeviceAdded{bob, core::DeviceId("d"), core::Seq(2)},
                          core::WelcomeStored{{blob("w"), {{bob, {}, {}}}}, core::Epoch(1), start},
                          core::GroupInfoStored{core::Epoch(1), start, blob("i")},
                          core::RequestRecorded{alice, {"m", "k", {}}, {}}}));
  const NewKeyPackage package{id32("ref"), id32("hash"), 1, false, after(day_ms), id32("kp")};
  stores_->writer().commit({}, std::vector{UserJob{[&](UserWriter& users) -> Result<void> {
                             (void)users.publish({bob, {}}, package, start);
                             return {};
                           }}});
  stores_.reset();
  auto database = *Database::open(path(), Database::Mode::writer);
  ASSERT_TRUE(sqlite::verify_all(*database));
  ASSERT_TRUE(database->execute("PRAGMA ignore_check_constraints=ON"));
  sqlite3_db_config(database->handle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);

  int columns = 0;
  for (const auto* table :
       {"meta", "conversation", "member", "member_device", "message", "idempotency", "welcome",
        "welcome_recipient", "group_info", "key_package"}) {
    const std::string name(table);
    const auto count =
        std::stoi(*database->ask("SELECT count(*) FROM pragma_table_info('" + name + "')"));
    ASSERT_GT(count, 2) << name;
    for (int i = 0; i < count; ++i) {
      const auto info = " FROM pragma_table_info('" + name + "') WHERE cid=" + std::to_string(i);
      const auto column = *database->ask("SELECT name" + info);
      const auto type = *database->ask("SELECT type" + info);
      const std::string other = type == "INTEGER" ? "coalesce(" + column + ",0)+1000"
                                : type == "TEXT"  ? "coalesce(" + column + ",'')||'x'"
                                                  : "x'00'||" + column;
      const std::string cast = type == "BLOB" ? "CAST(" + other + " AS BLOB)" : other;
      ASSERT_TRUE(database->execute("BEGIN"));
      const auto changed = database->execute("UPDATE " + name + " SET " + column + "=" + cast +
                                             " WHERE rowid=(SELECT min(rowid) FROM " + name + ")");
      ASSERT_TRUE(changed) << name << "." << column << ": " << changed.error().detail;
      EXPECT_FALSE(sqlite::verify_all(*database)) << name << "." << column;
      ASSERT_TRUE(database->execute("ROLLBACK"));
      ++columns;
    }
  }
  EXPECT_GT(columns, 80);
}

TEST_F(Sqlite, a_row_that_its_index_lost_is_damage_and_not_a_shorter_page) {
  open();
  Script convo("c1");
  write(convo, convo.create({bob}));
  for (const auto* id : {"m1", "m2", "m3"}) write(convo, convo.message(id));
  stores_.reset();
  tamper("DELETE FROM message WHERE seq=2; DELETE FROM member WHERE user='did:plc:bob'");
  open();

  const auto page = test::rows_of(reader()->page({convo.id, core::Seq(0), core::Seq(9), 9, 0}));

  EXPECT_EQ(page.error().code, Errc::storage_corrupt);
  EXPECT_EQ(reader()->load(convo.id).error().code, Errc::storage_corrupt);
}

TEST_F(Sqlite, a_corrupt_conversation_refuses_its_writes_and_no_others) {
  open();
  Script bad("c1");
  Script good("c2");
  write(bad, bad.create());
  write(good, good.create());
  stores_.reset();
  tamper("UPDATE conversation SET name='b name' WHERE convo_id='c1'");
  open();

  const auto result =
      stores_->writer().commit(std::vector{bad.message("m1"), good.message("m1")}, {});

  EXPECT_EQ(result.sets[0].status, CommitStatus::rejected);
  EXPECT_EQ(result.sets[0].error.code, Errc::storage_corrupt);
  EXPECT_EQ(result.sets[1].status, CommitStatus::committed);
}

TEST_F(Sqlite, the_tables_themselves_refuse_what_must_never_be) {
  open();
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.message("m1"));
  write(convo, convo.commit("k1"));
  stores_.reset();
  auto database = *Database::open(path(), Database::Mode::writer);
  const std::string copy =
      "INSERT INTO message SELECT NULL, convo, {}, body_sum, checksum, body FROM message WHERE "
      "seq=2";
  const auto refused = [&](const std::string& columns) {
    auto sql = copy;
    sql.replace(sql.find("{}"), 2, columns);
    return !database->execute(sql);
  };

  EXPECT_FALSE(refused("3, 2, 2, 'k2', 1, sender_tag, committer, at")) << "the shape is right";
  EXPECT_TRUE(refused("4, 2, 2, 'k3', 1, sender_tag, committer, at")) << "a fork";
  EXPECT_TRUE(refused("3, 3, 2, 'k3', 2, sender_tag, committer, at")) << "a number twice";
  EXPECT_TRUE(refused("4, 3, 2, 'k1', 2, sender_tag, committer, at")) << "an id twice";
  EXPECT_TRUE(refused("4, 3, 2, 'k3', 1, sender_tag, committer, at")) << "an epoch jumped over";
  EXPECT_TRUE(refused("0, 3, 2, 'k3', 2, sender_tag, committer, at")) << "seq 0";
  EXPECT_TRUE(refused("4, 3, 9, 'k3', NULL, sender_tag, committer, at")) << "an unknown kind";
  EXPECT_FALSE(database->execute("UPDATE member SET left_seq=-1, left_epoch=0, left_at=0"));
  EXPECT_FALSE(database->execute("UPDATE conversation SET next_seq=0"));
}

TEST_F(Sqlite, the_writer_checkpoints_a_long_wal_and_reports_its_pauses) {
  open();
  Script convo("c1");
  write(convo, convo.create());
  for (int i = 0; i < 6; ++i) {
    write(convo, convo.message("m" + std::to_string(i), alice, std::string(4 << 20, 'x')));
  }
  EXPECT_GE(stores_->stats().checkpoints, 1U);
  const auto before = stores_->stats().checkpoints;

  write(convo, convo.message("last", alice, std::string(2 << 20, 'x')));
  EXPECT_EQ(stores_->stats().checkpoints, before);
  stores_->writer().idle();

  EXPECT_EQ(stores_->stats().checkpoints, before + 1);
  stores_->writer().idle();
  EXPECT_EQ(stores_->stats().checkpoints, before + 1) << "nothing new to take over";
  EXPECT_GE(stores_->stats().checkpoint_pause_us, stores_->stats().checkpoint_pause_max_us);
  EXPECT_GT(stores_->stats().checkpoint_pause_max_us, 0U);
  EXPECT_EQ(stores_->stats().commits, 8U);
}

TEST_F(Sqlite, a_database_whose_process_died_comes_back_from_its_wal) {
  open();
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.message("m1"));
  const auto copy = dir_.file("copy.db");  // as a killed process would have left it
  for (const auto* suffix : {"", "-wal"}) {
    std::filesystem::copy_file(path() + suffix, copy + suffix);
  }

  auto opened = open_sqlite({.path = copy, .on_fatal = {}});

  ASSERT_TRUE(opened) << opened.error().detail;
  auto found = test::rows_of(
      (*(*opened)->open_reader())->page({convo.id, core::Seq(0), core::Seq(9), 9, 0}));
  EXPECT_EQ(found->size(), 1U);
}

}  // namespace
}  // namespace catbird::storage
