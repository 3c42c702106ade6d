// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/postgres/connection.hpp"

#include <functional>
#include <span>
#include <string>

namespace catbird::storage::postgres {

/// Asked before each statement of a migration; false stops there as a dying process would. Tests.
using StatementHook = std::function<bool()>;

/// Refuses a server that would lose acknowledged writes (D7) or cannot be written to: fsync,
/// full_page_writes or synchronous_commit not on, a standby, an encoding other than UTF8.
Result<void> check_server(Connection& connection);
/// The schema's number, 0 if there is none. Fails if `catbird` is someone else's schema or newer
/// than this program.
Result<std::size_t> schema_version(Connection& connection);
/// Brings the schema up to date, all in one transaction, one process at a time.
Result<void> migrate(Connection& connection, std::span<const char* const> scripts,
                     const StatementHook& hook = {});
/// Grants the app role what the server does, and nothing else; likewise the cleanup role. Empty: no
/// such role. The roles must exist.
Result<void> grant_roles(Connection& connection, const std::string& app,
                         const std::string& cleanup);
/// Notes whose secret keys the sender tags, once; fails if it is another's.
Result<void> claim_secret(Connection& connection, const std::string& fingerprint);
/// Changes with whatever may have rewound the log: another cluster, a promotion, a restored dump.
Result<std::string> incarnation_of(Connection& connection);
/// True if tables of the predecessor stand in this database.
Result<bool> has_predecessor(Connection& connection);

}  // namespace catbird::storage::postgres
