// SPDX-License-Identifier: MIT
#include "storage/postgres/connection.hpp"

#include "obs/log.hpp"

#include <poll.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace catbird::storage::postgres {

namespace {

using std::chrono::steady_clock;

constexpr std::string_view log_target = "catbird_server::storage";

std::string name_of(const char* sql) {
  char name[24];
  (void)std::snprintf(name, sizeof name, "s%llx",
                      static_cast<unsigned long long>(reinterpret_cast<std::uintptr_t>(sql)));
  return name;
}

std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

/// Codes of class 08 and 57P0x end the connection; libpq says so itself by its status.
Errc meaning(std::string_view state) {
  if (state == "23505") return Errc::conflict;                   // unique_violation
  if (state == "40P01" || state == "40001") return Errc::retry;  // deadlock, serialisation
  if (state == "53100") return Errc::storage_full;               // disk_full
  if (state.starts_with("XX00")) return Errc::storage_corrupt;   // data or index corrupted
  if (state == "57014" || state == "55P03") return Errc::storage_unavailable;  // timeouts
  if (state.starts_with("08") || state.starts_with("53") || state.starts_with("57") ||
      state.starts_with("58")) {
    return Errc::storage_unavailable;
  }
  return Errc::internal;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const std::string& url, Access access,
                                                     const Timeouts& timeouts, Counters& counters) {
  const auto seconds = std::to_string(std::max<std::int64_t>(2, timeouts.connect.count() / 1000));
  const auto user_timeout = std::to_string(timeouts.answer.count());
  const char* keywords[] = {"dbname",
                            "application_name",
                            "connect_timeout",
                            "tcp_user_timeout",
                            "keepalives_idle",
                            "client_encoding",
                            nullptr};
  const char* values[] = {
      url.c_str(), "catbird-mls-server", seconds.c_str(), user_timeout.c_str(), "10", "UTF8",
      nullptr};
  PGconn* handle = PQconnectdbParams(keywords, values, 1);
  std::unique_ptr<Connection> connection(new Connection(handle, timeouts, counters));
  if (PQstatus(handle) != CONNECTION_OK) {
    return fail(Errc::storage_unavailable,
                "PostgreSQL did not accept a connection (DATABASE_URL): " +
                    first_line(PQerrorMessage(handle)));
  }
  // A stray notice must not land on standard error.
  PQsetNoticeProcessor(handle, [](void*, const char*) {}, nullptr);
  PQsetnonblocking(handle, 1);
  auto milliseconds = [](std::chrono::milliseconds time) { return std::to_string(time.count()); };
  std::string setup =
      "SET search_path = catbird, pg_catalog; SET plan_cache_mode = "
      "force_generic_plan; SET statement_timeout = " +
      milliseconds(timeouts.statement) + "; SET lock_timeout = " + milliseconds(timeouts.lock) +
      "; SET idle_in_transaction_session_timeout = " + milliseconds(timeouts.idle_in_transaction) +
      "; SET jit = off;";
  if (access == Access::read) {
    setup +=
        " SET default_transaction_read_only = on;"
        " SET default_transaction_isolation = 'repeatable read';";
  } else {
    // The plan must find rows by their index, in the order of the arrays: two processes that
    // advance the same conversations then lock them in the same order.
    setup += " SET enable_seqscan = off; SET enable_mergejoin = off; SET enable_hashjoin = off;";
  }
  if (auto done = connection->execute(setup); !done) return std::unexpected(done.error());
  return connection;
}

Connection::~Connection() {
  --counters_.open;
  PQfinish(handle_);
}

bool Connection::in_transaction() const {
  const auto status = PQtransactionStatus(handle_);
  return status == PQTRANS_INTRANS || status == PQTRANS_INERROR || status == PQTRANS_ACTIVE;
}

Error Connection::lose(std::string why) {
  if (!lost_) ++counters_.connections_lost;
  lost_ = true;
  last_error_ = first_line(std::move(why));
  return {Errc::storage_unavailable, "the database connection is lost", std::nullopt, 0};
}

Error Connection::error_of(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
  violated_ = constraint == nullptr ? "" : constraint;
  last_error_ = first_line(PQresultErrorMessage(result));
  if (PQstatus(handle_) != CONNECTION_OK) return lose(last_error_);
  if (state == nullptr) return lose(last_error_);
  const auto code = meaning(state);
  if (code == Errc::internal) {
    obs::log(obs::Level::error, log_target, "a statement failed: SQLSTATE " + std::string(state));
  }
  // The text itself may show what was stored; this one is the operator's doing and worth a word.
  const bool denied = std::string_view(state) == "42501";
  return {code,
          std::string("SQLSTATE ") + state + " " +
              (denied ? "permission denied: the database role may not do this" : violated_),
          std::nullopt, 0};
}

Result<void> Connection::wait(short events, steady_clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) return std::unexpected(lose("no answer in time"));
    pollfd descriptor{.fd = PQsocket(handle_), .events = events, .revents = 0};
    const int ready = poll(&descriptor, 1, static_cast<int>(left.count()) + 1);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return std::unexpected(lose("poll failed"));
  }
}

Result<void> Connection::flush(steady_clock::time_point deadline) {
  for (;;) {
    const int left = PQflush(handle_);
    if (left == 0) return {};
    if (left < 0) return std::unexpected(lose(PQerrorMessage(handle_)));
    // The server may have to be read from before it takes more.
    if (auto ready = wait(POLLIN | POLLOUT, deadline); !ready) return ready;
    if (PQconsumeInput(handle_) == 0) return std::unexpected(lose(PQerrorMessage(handle_)));
  }
}

Result<ResultPtr> Connection::receive(steady_clock::time_point deadline) {
  while (PQisBusy(handle_) != 0) {
    if (auto ready = wait(POLLIN, deadline); !ready) return std::unexpected(ready.error());
    if (PQconsumeInput(handle_) == 0) return std::unexpected(lose(PQerrorMessage(handle_)));
  }
  return ResultPtr(PQgetResult(handle_));
}

/// The last result of what was sent; reads up to the end of its results.
Result<ResultPtr> Connection::last_of(steady_clock::time_point deadline) {
  if (auto sent = flush(deadline); !sent) return std::unexpected(sent.error());
  ResultPtr last;
  for (;;) {
    auto next = receive(deadline);
    if (!next) return next;
    if (*next == nullptr) break;
    // The first failure tells; what follows it is only its echo.
    if (last == nullptr || PQresultStatus(last.get()) != PGRES_FATAL_ERROR) last = std::move(*next);
  }
  if (last == nullptr) return std::unexpected(lose("the server sent nothing"));
  const auto status = PQresultStatus(last.get());
  if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE ||
      status == PGRES_NONFATAL_ERROR) {
    return std::unexpected(error_of(last.get()));
  }
  return last;
}

Result<void> Connection::prepare(const char* sql) {
  if (prepared_.contains(sql)) return {};
  if (lost()) return std::unexpected(lose("not connected"));
  if (PQsendPrepare(handle_, name_of(sql).c_str(), sql, 0, nullptr) == 0) {
    return std::unexpected(lose(PQerrorMessage(handle_)));
  }
  auto done = last_of(steady_clock::now() + timeouts_.answer);
  if (!done) return std::unexpected(done.error());
  prepared_.insert(sql);
  return {};
}

Result<void> Connection::send(const char* sql, const Params& params) {
  const auto wire = params.wire();
  const int sent =
      PQsendQueryPrepared(handle_, name_of(sql).c_str(), static_cast<int>(params.size()),
                          wire.values.data(), wire.lengths.data(), wire.formats.data(), 1);
  if (sent == 0) return std::unexpected(lose(PQerrorMessage(handle_)));
  return {};
}

Result<Rows> Connection::query(const char* sql, const Params& params) {
  if (auto ready = prepare(sql); !ready) return std::unexpected(ready.error());
  if (auto sent = send(sql, params); !sent) return std::unexpected(sent.error());
  auto result = last_of(steady_clock::now() + timeouts_.answer);
  if (!result) return std::unexpected(result.error());
  return Rows(std::move(*result));
}

Result<std::vector<Rows>> Connection::query_all(std::span<const Call> calls) {
  for (const auto& call : calls) {
    if (auto ready = prepare(call.sql); !ready) return std::unexpected(ready.error());
  }
  const auto deadline = steady_clock::now() + timeouts_.answer;
  std::vector<Rows> rows;
  if (PQenterPipelineMode(handle_) == 0) return std::unexpected(lose(PQerrorMessage(handle_)));
  for (const auto& call : calls) {
    if (auto sent = send(call.sql, call.params); !sent) return std::unexpected(sent.error());
  }
  if (PQpipelineSync(handle_) == 0) return std::unexpected(lose(PQerrorMessage(handle_)));
  if (auto sent = flush(deadline); !sent) return std::unexpected(sent.error());
  Result<void> outcome{};
  for (;;) {
    auto next = receive(deadline);
    if (!next) return std::unexpected(next.error());
    if (*next == nullptr) {  // the end of one statement
      if (PQstatus(handle_) != CONNECTION_OK) {
        return std::unexpected(lose(PQerrorMessage(handle_)));
      }
      continue;
    }
    const auto status = PQresultStatus(next->get());
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      rows.emplace_back(std::move(*next));
    } else if (status != PGRES_PIPELINE_ABORTED && outcome) {
      outcome = std::unexpected(error_of(next->get()));
    }
    if (lost_) return std::unexpected(outcome.error());
  }
  if (PQexitPipelineMode(handle_) == 0) return std::unexpected(lose(PQerrorMessage(handle_)));
  if (!outcome) return std::unexpected(outcome.error());
  return rows;
}

Result<void> Connection::execute(const std::string& sql) {
  if (lost()) return std::unexpected(lose("not connected"));
  if (PQsendQuery(handle_, sql.c_str()) == 0) {
    return std::unexpected(lose(PQerrorMessage(handle_)));
  }
  auto done = last_of(steady_clock::now() + timeouts_.answer);
  if (!done) return std::unexpected(done.error());
  return {};
}

void Connection::roll_back() {
  if (lost() || !in_transaction()) return;
  [[maybe_unused]] const auto done = execute("ROLLBACK");
}

Result<std::string> Connection::ask(const std::string& sql) {
  if (lost()) return std::unexpected(lose("not connected"));
  if (PQsendQuery(handle_, sql.c_str()) == 0) {
    return std::unexpected(lose(PQerrorMessage(handle_)));
  }
  auto result = last_of(steady_clock::now() + timeouts_.answer);
  if (!result) return std::unexpected(result.error());
  if (PQntuples(result->get()) == 0) return std::string();
  return std::string(PQgetvalue(result->get(), 0, 0));
}

Error Connection::corrupt(std::string_view table) {
  // One damaged row is met by every read of it: a line for the 1st, 2nd, 4th, 8th … meeting.
  const std::uint64_t times = ++counters_.corrupt_rows;
  if (std::has_single_bit(times)) {
    obs::log(obs::Level::error, log_target, "stored data is damaged and was not served",
             {{"where", std::string(table)}, {"times", std::to_string(times)}});
  }
  return {Errc::storage_corrupt, "a stored row does not match its checksum: " + std::string(table),
          std::nullopt, 0};
}

}  // namespace catbird::storage::postgres
