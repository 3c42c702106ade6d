// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/stores.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

// The production backend: PostgreSQL 13 or newer, our tables in a schema of their own (`catbird`).
// Any number of processes may use one database; each conversation's row decides who may write
// (owner_fence), so no process can be wrong about it.

namespace catbird::storage {

struct PostgresOptions {
  std::string url;  // postgresql://…, as libpq reads it
  std::size_t lanes = 1;
  /// No other server may use the database meanwhile; refused while another does.
  bool exclusive = false;
  /// Of the secret that keys sender tags: the first one stays with the database, and a server with
  /// another secret is refused, since its tags would not match. Empty: not looked at.
  std::string secret_fingerprint{};
  /// Of the role that does the retention; empty: `url`.
  std::string cleanup_url{};
  /// Called, on the thread of a lane or reader, when a new connection leads to another history than
  /// the one we started on (a standby was promoted, a backup put back): what was acknowledged since
  /// may be gone, and nothing in memory is good any more. The process must not go on (L6); until it
  /// ends, no connection is used.
  std::function<void(std::string)> on_fatal{};
  std::chrono::milliseconds statement_timeout{5'000};
  std::chrono::milliseconds lock_timeout{1'000};
  std::chrono::milliseconds idle_in_transaction_timeout{2'000};
};

/// Connects, checks that the server is durable, brings the schema up to date if the role may.
/// Fails, with a line for the operator, if any of it cannot be.
Result<std::unique_ptr<Stores>> open_postgres(const PostgresOptions& options);

/// Only the schema, as the owner role; then grants it to the roles named (empty: none).
struct Roles {
  std::string app;
  std::string cleanup;
};
/// For a retention run apart from any server, as the cleanup role. The schema must be up to date.
Result<std::unique_ptr<Cleaner>> open_postgres_cleaner(const std::string& url);
Result<void> migrate_postgres(const std::string& url, const Roles& roles);

}  // namespace catbird::storage
