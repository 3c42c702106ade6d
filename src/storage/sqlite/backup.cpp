// SPDX-License-Identifier: MIT
// Copies of a database, each verified row by row before it gets its name.
#include "storage/sqlite/file.hpp"
#include "storage/sqlite/file_lock.hpp"
#include "storage/sqlite/migrations.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/sqlite_store.hpp"

#include <filesystem>
#include <memory>
#include <utility>

namespace catbird::storage {

namespace sqlite {
namespace {

Result<void> copy_pages(Database& from, Database& to) {
  auto* backup = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
  if (backup == nullptr) {
    return std::unexpected(to.error(sqlite3_extended_errcode(to.handle())));
  }
  // One step is one read transaction: a state the store was in, whatever its writer does meanwhile.
  const int code = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (code == SQLITE_DONE && finished == SQLITE_OK) return {};
  return std::unexpected(to.error(code == SQLITE_DONE ? finished : code));
}

Result<void> renew_incarnation(Database& database) {
  auto name = random_name(database);
  if (!name) return std::unexpected(name.error());
  return write_meta(database, incarnation_key, *name);
}

enum class Incarnation : bool { keep, renew };

/// Fills the empty file `to`, verifies it and forces it onto the disk as one file without a WAL.
Result<void> copy_database(const std::string& from, const std::string& to,
                           Incarnation incarnation) {
  auto source = Database::open(from, Database::Mode::reader);
  if (!source) return std::unexpected(source.error());
  if (auto ours = check_ownership(**source); !ours) return ours;
  if (auto version = (*source)->ask("PRAGMA user_version"); !version || *version == "0") {
    return fail(Errc::storage_unavailable, "the source holds no catbird database");
  }
  if (auto created = create_file(to); !created) return created;
  auto target = Database::open(to, Database::Mode::writer);
  if (!target) return std::unexpected(target.error());
  auto done = copy_pages(**source, **target);
  if (done && incarnation == Incarnation::renew) done = renew_incarnation(**target);
  if (done) {
    auto mode = (*target)->ask("PRAGMA journal_mode=DELETE");
    if (!mode) done = std::unexpected(mode.error());
  }
  if (done) done = verify_all(**target);
  if (!done) return done;
  target->reset();
  return sync_path(to);
}

void remove_quietly(const std::string& path) {
  for (const auto* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::error_code ignored;
    std::filesystem::remove(path + suffix, ignored);
  }
}

/// A WAL left beside a new database of the same name would be replayed into it, so the old
/// database goes away whole, WAL included, before the new one comes.
Result<void> set_aside(const std::string& path) {
  const auto kept = path + ".before-restore";
  remove_quietly(kept);
  for (const auto* suffix : {"-wal", "-shm", ""}) {
    if (!file_exists(path + suffix)) continue;
    if (auto done = rename_file(path + suffix, kept + suffix); !done) return done;
  }
  return {};
}

}  // namespace
}  // namespace sqlite

Result<void> backup_sqlite(const std::string& from, const std::string& to) {
  if (!sqlite::file_exists(from)) return fail(Errc::storage_unavailable, "no database at " + from);
  if (auto ready = sqlite::prepare_file(to); !ready) return ready;
  if (sqlite::file_exists(to)) return fail(Errc::storage_unavailable, to + " exists already");
  const auto partial = to + ".partial";
  sqlite::remove_quietly(partial);
  if (auto done = sqlite::copy_database(from, partial, sqlite::Incarnation::keep); !done) {
    sqlite::remove_quietly(partial);
    return done;
  }
  return sqlite::rename_file(partial, to);
}

Result<void> restore_sqlite(const std::string& from, const std::string& to, Existing existing) {
  if (!sqlite::file_exists(from)) return fail(Errc::storage_unavailable, "no database at " + from);
  if (auto ready = sqlite::prepare_file(to); !ready) return ready;
  auto lock = sqlite::FileLock::acquire(to + ".lock");
  if (!lock) return std::unexpected(lock.error());
  if (sqlite::file_exists(to) && existing == Existing::refuse) {
    return fail(Errc::storage_unavailable, to + " exists already");
  }
  const auto partial = to + ".restoring";
  sqlite::remove_quietly(partial);
  if (auto done = sqlite::copy_database(from, partial, sqlite::Incarnation::renew); !done) {
    sqlite::remove_quietly(partial);
    return done;
  }
  if (auto done = sqlite::set_aside(to); !done) return done;
  return sqlite::rename_file(partial, to);
}

}  // namespace catbird::storage
