// SPDX-License-Identifier: MIT
#include "storage/sqlite/database.hpp"

#include "base/check.hpp"
#include "base/mutant.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

namespace catbird::storage::sqlite {

namespace {

constexpr int busy_timeout_ms = 2000;  // another process recovering or backing up

struct Binder {
  sqlite3_stmt* statement;
  int index;

  int operator()(std::monostate) const { return sqlite3_bind_null(statement, index); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
  int operator()(std::string_view value) const {
    const char* data = value.empty() ? "" : value.data();  // a null pointer would bind NULL
    return sqlite3_bind_text64(statement, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int operator()(ByteView value) const {
    if (value.empty()) return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, value.data(), value.size(), SQLITE_STATIC);
  }
};

Trouble trouble_of(int code, int system_error) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Trouble::full;
    case SQLITE_IOERR:
      // The index of the WAL could not grow: the same full disk by another name. A failed fsync
      // with the same errno is not: what it did not write is lost.
      return code == SQLITE_IOERR_SHMSIZE && system_error == ENOSPC ? Trouble::full
                                                                    : Trouble::fatal;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
      return Trouble::fatal;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_ABORT:
      return Trouble::batch;
    default:
      return Trouble::none;
  }
}

Errc errc_of(int code) {
  if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) {
    return Errc::conflict;
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return Errc::storage_full;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::storage_corrupt;
    case SQLITE_IOERR:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
      return Errc::storage_unavailable;
    default:
      return Errc::internal;
  }
}

void add_column(RowSum& sum, sqlite3_stmt* statement, int column) {
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement, column));
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
      return sum.add(sqlite3_column_int64(statement, column));
    case SQLITE_TEXT:
      return sum.add_text(text_of({data, size}));
    case SQLITE_BLOB:
      return sum.add_blob({data, size});
    default:
      return sum.add_null();
  }
}

}  // namespace

Query::~Query() {
  if (!statement_) return;
  sqlite3_reset(*statement_);
  sqlite3_clear_bindings(*statement_);
}

Result<bool> Query::next() {
  if (!statement_) return std::unexpected(statement_.error());
  const int code = sqlite3_step(*statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return std::unexpected(db_.error(code));
}

Result<bool> Query::next_of(std::string_view table) {
  auto row = next();
  if (row && *row && !sound(table) && !mutant("checksum_ignored"))
    return std::unexpected(db_.corrupt(table));
  return row;
}

bool Query::sound(std::string_view table) const {
  RowSum sum(table);
  const int columns = sqlite3_column_count(*statement_);
  for (int column = 0; column < columns; ++column) {
    const std::string_view name = sqlite3_column_name(*statement_, column);
    if (name != "checksum") {
      add_column(sum, *statement_, column);
      continue;
    }
    if (integer(column) != sum.value()) return false;
    const bool has_body = column + 1 < columns &&
                          std::string_view(sqlite3_column_name(*statement_, column + 1)) == "body";
    return !has_body || sum_of(blob(column + 1)) == integer(column - 1);
  }
  return false;  // a query of ours without its checksum column: found by its first test
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(*statement_, column) == SQLITE_NULL;
}
std::int64_t Query::integer(int column) const { return sqlite3_column_int64(*statement_, column); }
std::uint64_t Query::number(int column) const {
  return static_cast<std::uint64_t>(sqlite3_column_int64(*statement_, column));
}
std::string Query::text(int column) const { return std::string(text_of(blob(column))); }
ByteView Query::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(*statement_, column));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(*statement_, column))};
}
Bytes Query::bytes(int column) const {
  const auto view = blob(column);
  return {view.begin(), view.end()};
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode,
                                                 Counters* counters) {
  sqlite3* handle = nullptr;
  const int flags = mode == Mode::writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (handle == nullptr) return fail(Errc::storage_unavailable, "no memory for a connection");
  std::unique_ptr<Database> database(new Database(handle, counters));
  if (code != SQLITE_OK) return std::unexpected(database->error(code));
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, busy_timeout_ms);
  sqlite3_wal_autocheckpoint(handle, 0);
  // Only the writer checkpoints; a reader that happens to close last must not.
  if (mode == Mode::reader) {
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  for (const auto* pragma : {"PRAGMA cell_size_check=ON", "PRAGMA trusted_schema=OFF",
                             "PRAGMA mmap_size=0", "PRAGMA temp_store=MEMORY"}) {
    if (auto done = database->execute(pragma); !done) return std::unexpected(done.error());
  }
  if (mode == Mode::reader) {
    if (auto done = database->execute("PRAGMA query_only=1"); !done) {
      return std::unexpected(done.error());
    }
  }
  return database;
}

Database::~Database() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(handle_);
}

Result<sqlite3_stmt*> Database::prepare(const char* sql) {
  auto it = statements_.find(sql);
  if (it != statements_.end()) return it->second;
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  statements_.emplace(sql, statement);
  return statement;
}

Result<sqlite3_stmt*> Database::bound(const char* sql, std::span<const Value> values) {
  auto statement = prepare(sql);
  if (!statement) return statement;
  CATBIRD_CHECK(!sqlite3_stmt_busy(*statement));
  int index = 0;
  for (const auto& value : values) {
    const int code = value.visit(Binder{*statement, ++index});
    if (code != SQLITE_OK) return std::unexpected(error(code));
  }
  return statement;
}

Result<void> Database::run(const char* sql, std::initializer_list<Value> values) {
  return run(sql, std::span(values.begin(), values.size()));
}

Result<void> Database::run(const char* sql, std::span<const Value> values) {
  auto statement = bound(sql, values);
  if (!statement) return std::unexpected(statement.error());
  Query query(*this, statement);
  auto row = query.next();
  if (!row) return std::unexpected(row.error());
  return {};
}

Query Database::query(const char* sql, std::initializer_list<Value> values) {
  return {*this, bound(sql, std::span(values.begin(), values.size()))};
}

Query Database::query(const char* sql, std::span<const Value> values) {
  return {*this, bound(sql, values)};
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  return {};
}

Result<std::string> Database::ask(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code));
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> owner(statement,
                                                                         &sqlite3_finalize);
  code = sqlite3_step(statement);
  if (code == SQLITE_DONE) return std::string();
  if (code != SQLITE_ROW) return std::unexpected(error(code));
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
  return std::string(text == nullptr ? "" : text);
}

Error Database::error(int code) {
  last_code_ = code;
  trouble_ = std::max(trouble_, trouble_of(code, sqlite3_system_errno(handle_)));
  const auto meaning = errc_of(code);
  if (meaning == Errc::storage_corrupt) note_damage("page");
  return {meaning, "sqlite: " + last_error()};
}

void Database::note_damage(std::string_view where) {
  if (counters_ == nullptr) return;
  // One damaged row is met by every read of it: a line for the 1st, 2nd, 4th, 8th … meeting, of
  // all connections together, tells of it without filling the log.
  const std::uint64_t times = ++counters_->corrupt_rows;
  if (!std::has_single_bit(times)) return;
  obs::log(obs::Level::error, "catbird_server::storage",
           "stored data is damaged and was not served",
           {{"where", std::string(where)}, {"times", std::to_string(times)}});
}

Error Database::corrupt(std::string_view table) {
  note_damage(table);
  return {Errc::storage_corrupt, "a stored row does not match its checksum: " + std::string(table)};
}

Rollback::~Rollback() {
  if (sqlite3_get_autocommit(db_->handle()) != 0) return;
  // A rollback that fails leaves a transaction open, and the next BEGIN says so.
  const auto rolled_back = db_->run("ROLLBACK");
  static_cast<void>(rolled_back);
}

}  // namespace catbird::storage::sqlite
