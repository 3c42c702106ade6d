// SPDX-License-Identifier: MIT
// What only PostgreSQL can do to us: foreign sessions, other servers, broken transactions, damage.
#include "support/postgres.hpp"

#include "contract/storage/fixture.hpp"
#include "core/key_window.hpp"
#include "storage/postgres/connection.hpp"
#include "storage/postgres/migrations.hpp"
#include "storage/postgres/postgres_store.hpp"
#include "storage/postgres/schema.hpp"
#include "storage/tables/accounts.hpp"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace catbird::storage {
namespace {

using enum CommitStatus;
const core::DeviceId phone{"phone"};

class Postgres : public testing::Test {
 protected:
  std::unique_ptr<Stores> open(PostgresOptions options = {}) {
    options.url = database_.url();
    auto stores = open_postgres(options);
    EXPECT_TRUE(stores) << stores.error().detail;
    return std::move(*stores);
  }
  std::unique_ptr<postgres::Connection> session() {
    return std::move(
        *postgres::Connection::open(database_.url(), postgres::Access::write, {}, counters_));
  }
  static WriteResult write(Stores& stores, Script& script, const WriteSet& set) {
    auto result = stores.writer().commit({&set, 1}, {}).sets.at(0);
    if (result.status == committed) {
      script.follow(set);
      script.note(result);
    }
    return result;
  }

  test::PostgresDatabase database_;
  postgres::Counters counters_;
};

TEST_F(Postgres, a_migration_stopped_at_any_statement_leaves_nothing_behind) {
  int stops = 0;
  while (true) {
    auto connection = session();
    int left = stops;
    auto done =
        postgres::migrate(*connection, postgres::migrations(), [&left] { return left-- > 0; });
    if (done) break;
    ++stops;
    EXPECT_EQ(database_.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'catbird'"), "0");
  }
  EXPECT_GT(stops, 30);
  auto stores = open();
  Script convo("c1");
  EXPECT_EQ(write(*stores, convo, convo.create()).status, committed);
}

TEST_F(Postgres, a_schema_of_the_version_before_is_brought_up_with_its_rows) {
  {
    auto connection = session();
    ASSERT_TRUE(postgres::migrate(*connection, postgres::migrations().first(1)));
  }
  database_.run("INSERT INTO catbird.meta (key, value) VALUES ('kept', 'yes')");

  auto stores = open();

  EXPECT_EQ(database_.ask("SELECT value FROM catbird.meta WHERE key = 'kept'"), "yes");
  EXPECT_EQ(database_.ask("SELECT value FROM catbird.meta WHERE key = 'schema'"),
            std::to_string(postgres::migrations().size()));
  EXPECT_EQ(
      database_.ask("SELECT count(*) FROM pg_trigger WHERE tgname = 'conversation_first_seq'"),
      "1");
}

TEST_F(Postgres, a_migration_waits_for_another_one_longer_than_any_statement_may) {
  auto other = session();
  ASSERT_TRUE(other->execute("SELECT pg_advisory_lock(1130513491, 3)"));
  PostgresOptions impatient;
  impatient.statement_timeout = std::chrono::milliseconds(50);
  impatient.lock_timeout = std::chrono::milliseconds(50);
  std::unique_ptr<Stores> stores;
  std::thread opening([&] { stores = open(impatient); });
  // Beyond what an answer may take (statement_timeout and two seconds).
  std::this_thread::sleep_for(std::chrono::milliseconds(2'300));
  ASSERT_TRUE(other->execute("SELECT pg_advisory_unlock(1130513491, 3)"));
  opening.join();
  EXPECT_TRUE(stores);
}

TEST_F(Postgres, a_row_that_a_foreign_session_holds_fails_the_write_and_nothing_more) {
  PostgresOptions impatient;
  impatient.lock_timeout = std::chrono::milliseconds(100);
  auto stores = open(impatient);
  Script held("held");
  Script free("free");
  ASSERT_EQ(write(*stores, held, held.create()).status, committed);
  ASSERT_EQ(write(*stores, free, free.create()).status, committed);
  auto foreign = session();
  ASSERT_TRUE(foreign->execute(
      "BEGIN; SELECT FROM catbird.conversation WHERE convo_id = 'held' FOR UPDATE"));

  const auto plain = write(*stores, held, held.message("m1"));
  const auto change = write(*stores, held, held.commit("k1"));
  const auto other = write(*stores, free, free.message("m1"));

  EXPECT_EQ(plain.status, failed);
  EXPECT_EQ(plain.error.code, Errc::storage_unavailable);
  EXPECT_EQ(change.status, failed);
  EXPECT_EQ(other.status, committed);
  foreign->roll_back();
  EXPECT_EQ(write(*stores, held, held.message("m1")).status, committed);
  EXPECT_EQ(held.last_seq, core::Seq(1));
}

TEST_F(Postgres, a_backend_that_is_ended_costs_one_write_and_no_row) {
  auto stores = open();
  Script convo("c1");
  ASSERT_EQ(write(*stores, convo, convo.create()).status, committed);
  database_.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
      " AND pid <> pg_backend_pid()");

  auto result = write(*stores, convo, convo.message("m1"));
  for (int i = 0; i < 100 && result.status != committed; ++i) {
    // What became of it is told by the row, never by a guess.
    EXPECT_TRUE(result.status == failed || result.status == unknown);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    result = write(*stores, convo, convo.message("m1"));
  }

  EXPECT_EQ(result.status, committed);
  EXPECT_EQ(database_.ask("SELECT count(*) FROM catbird.message"), "1");
}

TEST_F(Postgres, a_database_with_another_history_is_not_written_nor_read) {
  std::atomic<int> told = 0;
  PostgresOptions options;
  options.on_fatal = [&told](const std::string&) { ++told; };
  auto stores = open(options);
  auto reader = std::move(*stores->open_reader());
  Script convo("c1");
  ASSERT_EQ(write(*stores, convo, convo.create()).status, committed);
  ASSERT_TRUE(reader->load(convo.id));
  // As after a promotion or a restore: the log's sequence is another one.
  database_.run(
      "BEGIN; ALTER SEQUENCE catbird.message_position RENAME TO old_position;"
      " CREATE SEQUENCE catbird.message_position MINVALUE 1 CACHE 1; COMMIT;"
      " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
      " AND pid <> pg_backend_pid()");

  EXPECT_NE(write(*stores, convo, convo.message("m1")).status, committed);
  EXPECT_NE(write(*stores, convo, convo.message("m1")).status, committed);
  EXPECT_FALSE(reader->load(convo.id));

  EXPECT_GT(told, 0);
  EXPECT_EQ(database_.ask("SELECT count(*) FROM catbird.message"), "0");
}

TEST_F(Postgres, a_job_that_hides_a_failed_statement_is_not_committed_nor_are_its_neighbours_lost) {
  auto stores = open();
  Script convo("c1");
  ASSERT_EQ(write(*stores, convo, convo.create()).status, committed);
  const auto message = convo.message("m1");
  const UserJob hiding{[](UserWriter& users) -> Result<void> {
    NewKeyPackage package{id32("ref"), id32("hash"), 1, false, after(day_ms), {}};
    // No text of PostgreSQL's holds this byte.
    auto done = users.publish({bob, core::DeviceId(std::string("\xff"))}, package, start);
    EXPECT_FALSE(done);
    return {};
  }};

  const auto result = stores->writer().commit({&message, 1}, {&hiding, 1});

  EXPECT_EQ(result.sets.at(0).status, committed);
  EXPECT_NE(result.jobs.at(0).status, committed);
  EXPECT_EQ(database_.ask("SELECT count(*) FROM catbird.message"), "1");
}

TEST_F(Postgres, a_named_lock_that_is_held_elsewhere_is_not_waited_for) {
  auto stores = open();
  const std::string name = "devices of alice";
  const auto key = std::to_string(sum_of(view_of(name)));
  const UserJob locks{[&name](UserWriter& users) { return users.tables().lock(name); }};
  auto foreign = session();
  ASSERT_TRUE(foreign->execute("SELECT pg_advisory_lock(" + key + ")"));

  const auto held = stores->writer().commit({}, {&locks, 1}).jobs.at(0);
  ASSERT_TRUE(foreign->execute("SELECT pg_advisory_unlock(" + key + ")"));
  const auto free = stores->writer().commit({}, {&locks, 1}).jobs.at(0);

  EXPECT_EQ(held.status, CommitStatus::rejected) << held.error.detail;
  EXPECT_EQ(held.error.code, Errc::retry);
  EXPECT_EQ(free.status, committed) << free.error.detail;
}

TEST_F(Postgres, a_damaged_row_of_a_plain_table_is_met_and_never_served) {
  auto stores = open();
  const UserJob job{[](UserWriter& users) -> Result<void> {
    auto done = insert(users.tables(), OptInRecord{alice, core::DeviceId("phone"), start});
    if (!done) return std::unexpected(done.error());
    return {};
  }};
  ASSERT_EQ(stores->writer().commit({}, {&job, 1}).jobs.at(0).status, committed);
  auto reader = std::move(*stores->open_reader());
  EXPECT_EQ(select<OptInRecord>(reader->tables(), {})->size(), 1U);
  database_.run("UPDATE catbird.opt_in SET at = at + 1");

  const auto damaged = select<OptInRecord>(reader->tables(), {});

  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, Errc::storage_corrupt);
}

TEST_F(Postgres, of_two_servers_with_the_same_view_one_writes) {
  auto one = open();
  auto two = open();
  Script first("c1");
  ASSERT_EQ(write(*one, first, first.create()).status, committed);
  constexpr int rounds = 40;
  for (int i = 0; i < rounds; ++i) {
    const auto id = "m" + std::to_string(i);
    // A plain batch, a change in a transaction of its own, and one against the other.
    const bool plain_one = i % 2 == 0;
    const bool plain_two = i % 3 == 0;
    const auto mine = plain_one ? first.message(id + "a") : first.commit(id + "a");
    const auto theirs = plain_two ? first.message(id + "b") : first.commit(id + "b");
    WriteResult results[2];
    std::thread other([&] { results[1] = two->writer().commit({&theirs, 1}, {}).sets.at(0); });
    results[0] = one->writer().commit({&mine, 1}, {}).sets.at(0);
    other.join();
    const bool won = results[0].status == committed;
    ASSERT_EQ(results[won ? 1 : 0].status, fenced) << i << " " << results[won ? 1 : 0].error.detail;
    ASSERT_EQ(results[won ? 0 : 1].status, committed);
    first.follow(won ? mine : theirs);
  }
  EXPECT_EQ(database_.ask("SELECT count(*) || ' ' || max(seq) || ' ' || count(DISTINCT position)"
                          " FROM catbird.message"),
            "40 40 40");
}

/// Everything a reader may be asked, on a store that holds a row of each kind.
class Damage : public Postgres {
 protected:
  Damage() {
    auto stores = open();
    Script convo("c1");
    write(*stores, convo, convo.create({bob, carol}));
    write(*stores, convo, convo.message("m1"));
    write(*stores, convo,
          convo.commit("k1",
                       {core::DeviceAdded{bob, phone, core::Seq(2)},
                        core::WelcomeStored{{blob("w"), {{bob, phone, {}}}}, core::Epoch(1), start},
                        core::GroupInfoStored{core::Epoch(1), start, blob("i")},
                        core::RequestRecorded{alice, key_, {{}, {}, start, "detail"}}}));
    const NewKeyPackage package{id32("ref"), id32("hash"), 1, false, after(day_ms), Bytes{1, 2}};
    const UserJob job{[&package](UserWriter& users) -> Result<void> {
      EXPECT_TRUE(users.publish({bob, phone}, package, start));
      return {};
    }};
    stores->writer().commit({}, {&job, 1});
  }

  /// The first refusal among all reads; nothing if all of them answered.
  std::optional<Errc> read_everything() {
    auto stores = open();
    auto reader = std::move(*stores->open_reader());
    const core::ConvoId convo("c1");
    std::optional<Errc> first;
    auto look = [&first](const auto& result) {
      if (!result && !first) first = result.error().code;
    };
    look(reader->load(convo));
    look(reader->load_keys(convo, 9));
    look(reader->page({convo, core::Seq(0), core::Seq(9), 9, 0}));
    look(reader->commits({convo, core::Epoch(1), core::Epoch(9), core::Seq(0), core::Seq(9), 0}));
    look(reader->convos({bob, {}, 0, 0, {}}));
    look(reader->windows(bob));
    look(reader->group_info(convo));
    look(reader->welcome(convo, {bob, phone}, start));
    look(reader->find_key_packages({id32("ref"), id32("hash")}, start));
    const ReserveQuery query{alice, bob, {}, 1, start};
    const UserJob job{[&](UserWriter& users) -> Result<void> {
      auto reserved = users.reserve(query);
      look(reserved);
      return fail(Errc::conflict, "leave it as it was");
    }};
    stores->writer().commit({}, {&job, 1});
    return first;
  }

  const core::RequestKey key_{"leaveConvo", "k", {}};
};

TEST_F(Damage, of_any_checked_column_is_met_and_never_served) {
  EXPECT_EQ(read_everything(), std::nullopt);
  // Behind the checks and triggers, as a broken disk or a careless hand would.
  struct Place {
    const char* table;
    const char* column;
    const char* value;
  };
  constexpr Place places[] = {
      {"conversation", "name", "name || 'x'"},
      {"conversation", "creator", "creator || 'x'"},
      {"conversation", "epoch", "epoch + 1"},
      {"conversation", "next_seq", "next_seq + 1"},
      {"conversation", "first_seq", "first_seq + 1"},
      {"conversation", "version", "version + 1"},
      {"conversation", "owner_fence", "owner_fence + 1"},
      {"conversation", "suite", "suite + 1"},
      {"conversation", "members", "members + 1"},
      {"conversation", "group_info_epoch", "NULL"},
      {"member", "admin", "NOT admin"},
      {"member", "join_seq", "join_seq + 1, read_seq = read_seq + 1"},
      {"member", "read_seq", "read_seq + 1"},
      {"member", "joined_at", "joined_at + 1"},
      {"member_device", "device", "device || 'x'"},
      {"message", "epoch", "epoch + 1, base_epoch = base_epoch + 1"},
      {"message", "msg_id", "msg_id || 'x'"},
      {"message", "sender_tag", "substring('\\x00'::bytea || sender_tag from 1 for 16)"},
      {"message", "at", "at + 1"},
      {"message", "body", "body || '\\x00'::bytea"},
      {"idempotency", "detail", "detail || 'x'"},
      {"idempotency", "seq", "seq + 1"},
      {"welcome", "epoch", "epoch + 1"},
      {"welcome", "body", "body || '\\x00'::bytea"},
      {"welcome_recipient", "at", "at - 1"},
      {"group_info", "body", "body || '\\x00'::bytea"},
      {"group_info", "at", "at + 1"},
      {"key_package", "not_after", "not_after + 1"},
      {"key_package", "body", "body || '\\x00'::bytea"},
  };
  for (const auto& place : places) {
    const std::string table = std::string("catbird.") + place.table;
    const std::string copy = "copy_of_" + std::string(place.table);
    database_.run("CREATE TABLE public." + copy + " AS TABLE " + table);
    database_.run("SET session_replication_role = replica; UPDATE " + table + " SET " +
                  place.column + " = " + place.value);

    EXPECT_EQ(read_everything(), Errc::storage_corrupt) << place.table << "." << place.column;

    database_.run("SET session_replication_role = replica; DELETE FROM " + table +
                  "; INSERT INTO " + table + " OVERRIDING SYSTEM VALUE TABLE public." + copy +
                  "; DROP TABLE public." + copy);
  }
  EXPECT_EQ(read_everything(), std::nullopt);
}

TEST_F(Damage, a_row_that_is_gone_is_met_too) {
  database_.run(
      "SET session_replication_role = replica; DELETE FROM catbird.message WHERE seq = 1");
  EXPECT_EQ(read_everything(), Errc::storage_corrupt);
}

TEST_F(Damage, what_expires_is_guarded_by_the_database_itself) {
  auto refused = [this](const std::string& sql) {
    auto own = session();
    return !own->execute(sql);
  };
  EXPECT_TRUE(refused("UPDATE message SET body = '' WHERE seq = 1"));
  EXPECT_TRUE(refused("UPDATE message SET seq = 7 WHERE seq = 1"));
  EXPECT_TRUE(refused("UPDATE conversation SET first_seq = next_seq + 1"));
  ASSERT_FALSE(refused("UPDATE conversation SET first_seq = 3"));
  EXPECT_TRUE(refused("UPDATE conversation SET first_seq = 2"));
  EXPECT_TRUE(refused("UPDATE message SET body = '' WHERE kind = 2"));
  EXPECT_TRUE(refused("UPDATE message SET body = '\\x01' WHERE seq = 1"));
  EXPECT_FALSE(refused("UPDATE message SET body = '' WHERE seq = 1"));
}

}  // namespace
}  // namespace catbird::storage
