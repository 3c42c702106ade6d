// SPDX-License-Identifier: MIT
#include "storage/sqlite/schema.hpp"

#include "base/mutant.hpp"
#include "storage/sqlite/migrations.hpp"

#include <memory>
#include <string>
#include <vector>

namespace catbird::storage::sqlite {

namespace {

std::unexpected<Error> refuse(std::string why) {
  return fail(Errc::storage_unavailable, std::move(why));
}

Result<long> pragma(Database& database, const std::string& name) {
  auto text = database.ask("PRAGMA " + name);
  if (!text) return std::unexpected(text.error());
  return text->empty() ? 0 : std::stol(*text);
}

Result<void> run_script(Database& database, const char* script, const StatementHook& hook) {
  const char* rest = script;
  while (true) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(database.handle(), rest, -1, &statement, &rest);
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> owner(statement,
                                                                           &sqlite3_finalize);
    if (code != SQLITE_OK) return std::unexpected(database.error(code));
    if (statement == nullptr) return {};  // only white space and comments were left
    if (hook && !hook()) return refuse("migration interrupted");
    code = sqlite3_step(statement);
    if (code != SQLITE_DONE && code != SQLITE_ROW) return std::unexpected(database.error(code));
  }
}

Result<void> migrate_one(Database& database, const char* script, std::size_t version,
                         const StatementHook& hook) {
  const std::string header = "PRAGMA application_id=" + std::to_string(application_id) +
                             "; PRAGMA user_version=" + std::to_string(version) + ";";
  if (auto done = database.execute("BEGIN IMMEDIATE"); !done) return done;
  const Rollback rollback(database);
  if (auto done = run_script(database, script, hook); !done) return done;
  // Both live in the file's header and are part of the transaction.
  if (auto done = run_script(database, header.c_str(), hook); !done) return done;
  if (hook && !hook()) return refuse("migration interrupted");
  return database.execute("COMMIT");
}

}  // namespace

Result<void> check_ownership(Database& database) {
  auto objects = database.ask("SELECT count(*) FROM sqlite_schema");
  if (!objects && objects.error().code == Errc::storage_corrupt) {
    return refuse("the file is not a usable SQLite database: " + database.last_error());
  }
  if (!objects) return std::unexpected(objects.error());
  auto owner = pragma(database, "application_id");
  auto version = pragma(database, "user_version");
  if (!owner || !version) return refuse("the database header cannot be read");
  const bool fresh = *objects == "0" && *version == 0 && *owner == 0;
  if (!fresh && *owner != application_id) {
    return refuse("the file is a database of another program");
  }
  const auto newest = static_cast<long>(migrations().size());
  if (*version > newest) {
    return refuse("the database has schema " + std::to_string(*version) +
                  ", newer than this program's " + std::to_string(newest));
  }
  return {};
}

Result<void> make_durable(Database& database) {
  if (auto mode = database.ask("PRAGMA journal_mode=WAL"); !mode) {
    return std::unexpected(mode.error());
  }
  if (auto done = database.execute("PRAGMA synchronous=FULL"); !done) return done;
  // NORMAL: the commit returns before the log is synced.
  if (mutant("reply_before_fsync")) return database.execute("PRAGMA synchronous=NORMAL");
  if (mutant("no_fsync")) return database.execute("PRAGMA synchronous=OFF");
  return check_durable(database);
}

Result<void> check_durable(Database& database) {
  auto mode = database.ask("PRAGMA journal_mode");
  auto level = pragma(database, "synchronous");
  if (!mode || !level) return refuse("the durability settings cannot be read");
  if (*mode != "wal") return refuse("unsafe storage: journal_mode is " + *mode + ", not wal");
  constexpr long full = 2;
  if (*level < full) return refuse("unsafe storage: synchronous is below FULL");
  return {};
}

Result<void> migrate(Database& database, std::span<const char* const> scripts,
                     const StatementHook& hook) {
  auto version = pragma(database, "user_version");
  if (!version) return std::unexpected(version.error());
  for (auto next = static_cast<std::size_t>(*version); next < scripts.size(); ++next) {
    if (auto done = migrate_one(database, scripts[next], next + 1, hook); !done) return done;
  }
  return {};
}

Result<void> check_schema(Database& database, std::span<const char* const> scripts) {
  auto model = Database::open(":memory:", Database::Mode::writer);
  if (!model) return std::unexpected(model.error());
  if (auto made = migrate(**model, scripts); !made) return made;
  Query wanted = (*model)->query("SELECT type, name, tbl_name, sql FROM sqlite_schema");
  while (true) {
    auto row = wanted.next();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    const auto type = wanted.text(0);
    const auto name = wanted.text(1);
    const auto table = wanted.text(2);
    const auto sql = wanted.text(3);  // empty for the index behind a UNIQUE
    Query found = database.query(
        "SELECT 1 FROM sqlite_schema WHERE type=?1 AND name=?2 AND tbl_name=?3"
        " AND coalesce(sql, '')=?4",
        {type, name, table, sql});
    auto same = found.next();
    if (!same) return std::unexpected(same.error());
    if (!*same) {
      return fail(Errc::storage_corrupt,
                  "the definition of " + name + " is damaged: restore a backup");
    }
  }
}

Result<void> ensure_meta(Database& database) {
  if (auto done = database.execute("BEGIN IMMEDIATE"); !done) return done;
  const Rollback rollback(database);
  auto rows = database.ask("SELECT count(*) FROM meta");
  if (!rows) return std::unexpected(rows.error());
  if (*rows == "0") {
    auto name = random_name(database);
    if (!name) return std::unexpected(name.error());
    if (auto done = write_meta(database, incarnation_key, *name); !done) return done;
    if (auto done = write_meta(database, fence_key, "0"); !done) return done;
  }
  return database.execute("COMMIT");
}

Result<std::string> read_meta(Database& database, std::string_view key) {
  Query query = database.query("SELECT key, value, checksum FROM meta WHERE key=?1", {key});
  auto row = query.next_of("meta");
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::unexpected(database.corrupt("meta"));
  return query.text(1);
}

Result<void> write_meta(Database& database, std::string_view key, std::string_view value) {
  const Value row[] = {key, value};
  return database.run("INSERT OR REPLACE INTO meta (key, value, checksum) VALUES (?1, ?2, ?3)",
                      {key, value, sum_row("meta", row)});
}

Result<std::string> random_name(Database& database) {
  return database.ask("SELECT lower(hex(randomblob(16)))");
}

Result<void> verify_all(Database& database) {
  auto pages = database.ask("PRAGMA integrity_check(1)");
  if (!pages) return std::unexpected(pages.error());
  if (*pages != "ok") return fail(Errc::storage_corrupt, "integrity check: " + *pages);
  auto strays = database.ask("PRAGMA foreign_key_check");
  if (!strays) return std::unexpected(strays.error());
  if (!strays->empty()) return fail(Errc::storage_corrupt, "stray rows in " + *strays);

  struct Table {
    const char* name;
    const char* all;
  };
  static constexpr Table tables[] = {
      {"meta", "SELECT * FROM meta"},
      {"conversation", "SELECT * FROM conversation"},
      {"member", "SELECT * FROM member"},
      {"member_device", "SELECT * FROM member_device"},
      {"message", "SELECT * FROM message"},
      {"idempotency", "SELECT * FROM idempotency"},
      {"welcome", "SELECT * FROM welcome"},
      {"welcome_recipient", "SELECT * FROM welcome_recipient"},
      {"group_info", "SELECT * FROM group_info"},
      {"key_package", "SELECT * FROM key_package"},
  };
  for (const auto& table : tables) {
    Query query = database.query(table.all);
    while (true) {
      auto row = query.next_of(table.name);
      if (!row) return std::unexpected(row.error());
      if (!*row) break;
    }
  }
  return {};
}

}  // namespace catbird::storage::sqlite
