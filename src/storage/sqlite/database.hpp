// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/value.hpp"

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace catbird::storage::sqlite {

/// What all connections of a store count together.
struct Counters {
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> corrupt_rows{0};
  std::atomic<std::uint64_t> checkpoints{0};
  std::atomic<std::uint64_t> checkpoint_pause_us{0};
  std::atomic<std::uint64_t> checkpoint_pause_max_us{0};
  std::atomic<std::uint64_t> wal_bytes{0};
};

/// How bad the worst error since the last clear_trouble() was, for the writer.
enum class Trouble : std::uint8_t {
  none,   // or one that concerns a single statement, such as a constraint
  batch,  // the transaction cannot go on; the next one may
  full,   // no space: go on with 503 (DECISIONS 24)
  fatal,  // I/O error or damage: nothing may be acknowledged any more (D5)
};

class Database;

/// A running statement. Values bound to it must outlive it; resets itself.
class Query {
 public:
  Query(Database& database, Result<sqlite3_stmt*> statement)
      : db_(database), statement_(std::move(statement)) {}
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  /// True if there is a row. What is read of it is valid until the next call.
  Result<bool> next();
  /// The same for a query that selects all columns of `table` up to `checksum` (in the table's
  /// order, at the front, and perhaps `body` behind it): fails with storage_corrupt, rather than
  /// giving a row that is not what was written.
  Result<bool> next_of(std::string_view table);

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::uint64_t number(int column) const;
  std::string text(int column) const;
  ByteView blob(int column) const;
  Bytes bytes(int column) const;

 private:
  bool sound(std::string_view table) const;

  Database& db_;
  Result<sqlite3_stmt*> statement_;  // an error is met by next()
};

/// One connection and its prepared statements. Used by one thread at a time.
class Database {
 public:
  enum class Mode : std::uint8_t { writer, reader };

  /// Fails with storage_unavailable. `counters` must outlive the connection; may be null.
  static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode,
                                                Counters* counters = nullptr);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  /// `sql` must live for ever (a literal): statements are kept by its address.
  Result<void> run(const char* sql, std::initializer_list<Value> values = {});
  Result<void> run(const char* sql, std::span<const Value> values);
  Query query(const char* sql, std::initializer_list<Value> values = {});
  Query query(const char* sql, std::span<const Value> values);
  /// Rows changed by the last run().
  int changes() const { return sqlite3_changes(handle_); }

  /// Unprepared, for pragmas and the like; fails with the code's meaning.
  Result<void> execute(const std::string& sql);
  /// The first column of the first row; empty if there is none.
  Result<std::string> ask(const std::string& sql);

  /// Storage errors by meaning; remembers the worst. A violated UNIQUE is conflict, and
  /// last_error() names its columns.
  Error error(int code);
  Error corrupt(std::string_view table);
  std::string last_error() const { return sqlite3_errmsg(handle_); }
  int last_code() const { return last_code_; }
  Trouble trouble() const { return trouble_; }
  void clear_trouble() { trouble_ = Trouble::none; }

  sqlite3* handle() { return handle_; }

 private:
  Database(sqlite3* handle, Counters* counters) : handle_(handle), counters_(counters) {}
  void note_damage(std::string_view where);
  Result<sqlite3_stmt*> prepare(const char* sql);
  Result<sqlite3_stmt*> bound(const char* sql, std::span<const Value> values);

  sqlite3* handle_;
  Counters* counters_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
  Trouble trouble_ = Trouble::none;
  int last_code_ = SQLITE_OK;
};

/// A transaction or savepoint's safety net: rolls the transaction back unless told otherwise.
class Rollback {
 public:
  explicit Rollback(Database& database) : db_(&database) {}
  ~Rollback();
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;

 private:
  Database* db_;
};

}  // namespace catbird::storage::sqlite
