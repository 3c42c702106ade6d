// SPDX-License-Identifier: MIT
#pragma once

#include "app/retention.hpp"
#include "base/result.hpp"
#include "core/limits.hpp"
#include "http/server.hpp"
#include "xrpc/rate_limiter.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace catbird::app {

/// Variables by name: the process environment, with a `.env` file below it.
using Environment = std::function<std::optional<std::string>(std::string_view)>;

/// Everything an operator can set, checked. docs/operations.md has the same table in prose.
struct Config {
  std::string sqlite_path = "data/catbird.db";  // DATABASE_URL
  std::string postgres_url;                     // DATABASE_URL; not empty: instead of SQLite
  std::size_t database_lanes = 1;               // DATABASE_LANES
  bool database_exclusive = false;              // DATABASE_EXCLUSIVE
  std::string secret_path;   // CATBIRD_SECRET_FILE; default beside the database, or in data/
  std::string journal_path;  // likewise
  std::string service_did;
  std::string public_endpoint;
  std::string websocket_endpoint;  // WEBSOCKET_ENDPOINT
  std::string plc_directory_url = "https://plc.directory";
  std::vector<std::string> did_host_allowlist;
  std::chrono::milliseconds did_deadline{3'000};
  bool block_checks = true;  // ENABLE_BLOCK_CHECKS
  bool development = false;
  std::string jwt_secret;
  std::string log_directives = "info";
  http::ServerOptions server;
  xrpc::RateLimits rates;
  std::uint32_t ip_per_minute = 0;
  bool metrics = true;
  std::string metrics_token;
  bool convo_labels = false;
  std::size_t devices_max = core::devices_per_user_default;  // MAX_DEVICES_PER_USER
  std::size_t stream_events_max = 5000;
  bool actors = true;  // ENABLE_ACTOR_SYSTEM
  std::chrono::seconds actor_idle_timeout{3600};
  std::size_t actor_bytes_max = std::size_t{1024} * 1024 * 1024;
  unsigned workers = 0;  // 0: one per core
  unsigned readers = 2;  // 4 with PostgreSQL
  RetentionPolicy retention;
  std::string cleanup_url;  // CLEANUP_DATABASE_URL: the role that does the retention
  /// Lines the log gets once at start: variables that are accepted and do nothing, and the like.
  std::vector<std::string> remarks;
};

/// One line for the operator in the error; the process exits with 2.
Result<Config> read_config(const Environment& environment);

/// KEY=VALUE lines, `#` comments, optional quotes. Nothing if the file does not exist.
std::optional<std::map<std::string, std::string>> read_env_file(const std::string& path);

}  // namespace catbird::app
