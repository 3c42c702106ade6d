// SPDX-License-Identifier: MIT
#include "storage/sqlite/sqlite_store.hpp"

#include "storage/sqlite/file.hpp"
#include "storage/sqlite/file_lock.hpp"
#include "storage/sqlite/log_check.hpp"
#include "storage/sqlite/migrations.hpp"
#include "storage/sqlite/reader.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/writer.hpp"

#include <utility>

namespace catbird::storage {

namespace sqlite {
namespace {

Result<void> set_cache(Database& database, std::size_t kib) {
  return database.execute("PRAGMA cache_size=-" + std::to_string(kib));
}

/// What a crash left in the log goes into the database and away; see check_log. A reader, such as a
/// backup, may be in the way: then it is the next checkpoint's.
Result<void> empty_log(Database& database) {
  auto done = database.ask("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::unique_ptr<Database>> open_writer(const SqliteOptions& options, Counters& counters) {
  if (auto sound = check_log(options.path + "-wal"); !sound) return std::unexpected(sound.error());
  auto database = Database::open(options.path, Database::Mode::writer, &counters);
  if (!database) return database;
  auto& connection = **database;
  auto done = check_ownership(connection);
  if (done) done = make_durable(connection);
  if (done) done = empty_log(connection);
  if (done) done = migrate(connection, migrations());
  if (done) done = check_schema(connection, migrations());
  if (done) done = ensure_meta(connection);
  if (done) done = set_cache(connection, options.writer_cache_kib);
  if (done && options.pages_max != 0) {
    done = connection.execute("PRAGMA max_page_count=" + std::to_string(options.pages_max));
  }
  if (!done) return std::unexpected(done.error());
  return database;
}

class SqliteStores final : public Stores {
 public:
  SqliteStores(SqliteOptions options, std::unique_ptr<FileLock> lock)
      : options_(std::move(options)), lock_(std::move(lock)) {}

  Result<void> open() {
    auto database = open_writer(options_, counters_);
    if (!database) return std::unexpected(database.error());
    auto incarnation = read_meta(**database, incarnation_key);
    if (!incarnation) return std::unexpected(incarnation.error());
    incarnation_ = std::move(*incarnation);
    writer_ = std::make_unique<SqliteWriter>(std::move(*database), counters_, options_.on_fatal);
    return {};
  }

  ConvoStore& writer() override { return *writer_; }

  Result<std::unique_ptr<Reader>> open_reader() override {
    auto database = Database::open(options_.path, Database::Mode::reader, &counters_);
    if (!database) return std::unexpected(database.error());
    if (auto done = set_cache(**database, options_.reader_cache_kib); !done) {
      return std::unexpected(done.error());
    }
    return std::make_unique<SqliteReader>(std::move(*database));
  }

  std::string incarnation() const override { return incarnation_; }
  std::string name() const override { return "sqlite"; }

  StoreStats stats() const override {
    return {.commits = counters_.commits,
            .corrupt_rows = counters_.corrupt_rows,
            .checkpoints = counters_.checkpoints,
            .checkpoint_pause_us = counters_.checkpoint_pause_us,
            .checkpoint_pause_max_us = counters_.checkpoint_pause_max_us,
            .wal_bytes = counters_.wal_bytes};
  }

 private:
  SqliteOptions options_;
  std::unique_ptr<FileLock> lock_;  // released last
  Counters counters_;
  std::string incarnation_;
  std::unique_ptr<SqliteWriter> writer_;
};

}  // namespace
}  // namespace sqlite

Result<std::unique_ptr<Stores>> open_sqlite(const SqliteOptions& options) {
  if (auto ready = sqlite::prepare_file(options.path); !ready) {
    return std::unexpected(ready.error());
  }
  auto lock = sqlite::FileLock::acquire(options.path + ".lock");
  if (!lock) return std::unexpected(lock.error());
  if (auto created = sqlite::create_file(options.path); !created) {
    return std::unexpected(created.error());
  }
  auto stores = std::make_unique<sqlite::SqliteStores>(options, std::move(*lock));
  if (auto opened = stores->open(); !opened) return std::unexpected(opened.error());
  return stores;
}

}  // namespace catbird::storage
