// SPDX-License-Identifier: MIT
#pragma once

#include "app/config.hpp"
#include "base/result.hpp"
#include "storage/postgres/postgres_store.hpp"

#include <string>

// The program's commands besides serving. Errors carry one line for the operator.

namespace catbird::app {

struct TokenRequest {
  std::string did;
  std::string lxm;
  int ttl_seconds = 60;
};
/// Prints one HS256 token; only in development (DECISIONS 20).
Result<void> print_token(const Config& config, const TokenRequest& request);

/// Exit code: 0 if http://127.0.0.1:SERVER_PORT/health/ready answers 200.
int healthcheck(const Config& config);

/// The database (consistent, verified, also while the server runs) and its secret file.
Result<void> backup(const Config& config, const std::string& path);
Result<void> restore(const Config& config, const std::string& path, bool replace);

/// Brings DATABASE_URL's PostgreSQL schema up to date, as the role that owns it, and grants the
/// other roles what they need.
Result<void> migrate(const Config& config, const storage::Roles& roles);

/// Copies what the predecessor's database at `from` holds into the configured one, and prints what
/// could not be carried. Goes on where an earlier call was cut off.
Result<void> import_predecessor(const Config& config, const std::string& from);

/// One pass of the retention job on PostgreSQL, for a timer under the cleanup role.
Result<void> cleanup(const Config& config);

}  // namespace catbird::app
