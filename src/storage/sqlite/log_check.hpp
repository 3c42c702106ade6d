// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"

#include <string>

namespace catbird::storage::sqlite {

/// Tells a damaged write-ahead log from one that a power cut left unfinished, which SQLite does
/// not: it takes either for the end and silently drops every transaction behind it. A cut can only
/// spoil the last transaction, since each is synced before the next is written; if two or more end
/// behind the first bad frame, acknowledged ones would be lost, and this fails with
/// storage_corrupt.
///
/// Call it before SQLite opens the file, and empty the log after every recovery: what an earlier
/// cut left behind must not be taken for a transaction. Damage in the log's own header or in its
/// last transaction still looks like a cut.
Result<void> check_log(const std::string& path);

}  // namespace catbird::storage::sqlite
