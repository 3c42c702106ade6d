// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/postgres/params.hpp"
#include "storage/postgres/rows.hpp"

#include <libpq-fe.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace catbird::storage::postgres {

/// What all connections of a store count together.
struct Counters {
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> corrupt_rows{0};
  std::atomic<std::uint64_t> connections_lost{0};
  std::atomic<std::uint64_t> splits{0};
  std::atomic<std::int64_t> open{0};
};

/// What one kind of connection may take: a statement, the wait for a row's lock, a transaction in
/// which nothing happens, and the wait for any answer (a database that hangs answers nothing).
struct Timeouts {
  std::chrono::milliseconds connect{3'000};
  std::chrono::milliseconds statement{5'000};
  std::chrono::milliseconds lock{1'000};
  std::chrono::milliseconds idle_in_transaction{2'000};
  std::chrono::milliseconds answer{7'000};
};

enum class Access : bool { write, read };

/// A statement's text must live for ever (a literal): it is prepared once per connection and known
/// by address.
struct Call {
  const char* sql = nullptr;
  Params params;
};

/// One connection and its prepared statements. Used by one thread at a time. Every call blocks, at
/// most Timeouts::answer. What a failure means:
///   conflict             a UNIQUE constraint; `violated()` names it
///   internal             another constraint, or a statement that is wrong
///   retry                deadlock or serialisation: the same transaction again may succeed
///   storage_unavailable  a timeout, or the connection is lost (`lost()`)
///   storage_full, storage_corrupt
class Connection {
 public:
  /// Opens and sets up a session in schema `catbird`. Fails with storage_unavailable.
  static Result<std::unique_ptr<Connection>> open(const std::string& url, Access access,
                                                  const Timeouts& timeouts, Counters& counters);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<Rows> query(const char* sql, const Params& params = {});
  /// All in one round trip and, outside a transaction, as one transaction of their own. Stops at
  /// the first failure, which undoes that transaction.
  Result<std::vector<Rows>> query_all(std::span<const Call> calls);
  /// Unprepared, several statements allowed, no result: BEGIN, SET, a migration.
  Result<void> execute(const std::string& sql);
  /// Ends an open transaction without its writes. If even that fails, it ends with the connection.
  void roll_back();
  /// The first column of the first row as text; empty if there is none.
  Result<std::string> ask(const std::string& sql);

  bool lost() const { return lost_ || PQstatus(handle_) != CONNECTION_OK; }
  bool in_transaction() const;
  /// A statement of the open transaction has failed: only ROLLBACK is left.
  bool broken() const { return PQtransactionStatus(handle_) == PQTRANS_INERROR; }
  /// Constraint that the last failure named.
  const std::string& violated() const { return violated_; }
  /// The text of the last failure, for the log.
  const std::string& last_error() const { return last_error_; }
  Error corrupt(std::string_view table);
  Counters& counters() { return counters_; }
  int socket() const { return PQsocket(handle_); }

 private:
  Connection(PGconn* handle, const Timeouts& timeouts, Counters& counters)
      : handle_(handle), timeouts_(timeouts), counters_(counters) {
    ++counters_.open;
  }
  Result<void> prepare(const char* sql);
  Result<void> send(const char* sql, const Params& params);
  /// The next result, or null at the end of a statement's results.
  Result<ResultPtr> receive(std::chrono::steady_clock::time_point deadline);
  Result<void> wait(short events, std::chrono::steady_clock::time_point deadline);
  Result<void> flush(std::chrono::steady_clock::time_point deadline);
  Result<ResultPtr> last_of(std::chrono::steady_clock::time_point deadline);
  Error lose(std::string why);
  Error error_of(const PGresult* result);

  PGconn* handle_;
  Timeouts timeouts_;
  Counters& counters_;
  std::unordered_set<const char*> prepared_;
  std::string violated_;
  std::string last_error_;
  bool lost_ = false;
};

}  // namespace catbird::storage::postgres
