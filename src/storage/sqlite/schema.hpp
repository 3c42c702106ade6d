// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/sqlite/database.hpp"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace catbird::storage::sqlite {

/// PRAGMA application_id of our files: "CbDS".
inline constexpr int application_id = 0x43624453;

/// Asked before each statement of a migration; false stops there as a dying process would. Tests.
using StatementHook = std::function<bool()>;

/// Refuses, before anything is changed, a file that is not a database, belongs to another program
/// or is newer than this one. An empty file is a new database.
Result<void> check_ownership(Database& database);
/// WAL and synchronous=FULL, read back: refuses to run on anything weaker (D7).
Result<void> make_durable(Database& database);
Result<void> check_durable(Database& database);
/// Brings the schema up to date, one transaction per migration.
Result<void> migrate(Database& database, std::span<const char* const> migrations,
                     const StatementHook& hook = {});
/// Every table and index is exactly as the migrations make it: a damaged definition may still be
/// valid SQL, and then a guard would be gone or every query fail. What others added is left alone.
Result<void> check_schema(Database& database, std::span<const char* const> migrations);
/// The rows every database has: the incarnation of its log and the fence counter.
Result<void> ensure_meta(Database& database);

Result<std::string> read_meta(Database& database, std::string_view key);
/// Inside the caller's transaction.
Result<void> write_meta(Database& database, std::string_view key, std::string_view value);
inline constexpr std::string_view incarnation_key = "incarnation";
inline constexpr std::string_view fence_key = "fence";
Result<std::string> random_name(Database& database);

/// Pages, indexes, references, and the checksum of every row: SQLite's own checks miss most single
/// flipped bits. Reads the whole database.
Result<void> verify_all(Database& database);

}  // namespace catbird::storage::sqlite
