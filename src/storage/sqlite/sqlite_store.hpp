// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/stores.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

// One file, one process, one writing connection. Debian's SQLite 3.40.1 can lose data when two
// connections write or checkpoint at once (the WAL-reset bug), so the writer alone does either.

namespace catbird::storage {

struct SqliteOptions {
  std::string path;  // a file; its directory is made if need be
  std::size_t writer_cache_kib = 64 * 1024;
  std::size_t reader_cache_kib = 8 * 1024;
  std::uint32_t pages_max = 0;  // of 4 KiB; beyond it storage_full. 0: the disk decides
  /// Called on the lane's thread after an I/O error or damage under the writer: the process must
  /// not go on (D5). Every later commit fails.
  std::function<void(std::string)> on_fatal;
};

/// Opens or creates the database, for this process alone, and brings its schema up to date. Fails,
/// with a line for the operator, when another process holds it, when it is not ours, when its
/// schema is newer than this program, or when its settings would not be durable.
Result<std::unique_ptr<Stores>> open_sqlite(const SqliteOptions& options);

/// Copies a database, which may be in use, to the new file `to`, and verifies every row of the
/// copy. Fails if `to` exists. The copy is a single file, complete when it has its name.
Result<void> backup_sqlite(const std::string& from, const std::string& to);

enum class Existing : bool { refuse, replace };
/// Makes a verified backup the database at `to`, with a new log incarnation (L6). Fails if `to` is
/// in use, and if it exists unless told to replace it: it is then kept as `to`.before-restore.
Result<void> restore_sqlite(const std::string& from, const std::string& to,
                            Existing existing = Existing::refuse);

}  // namespace catbird::storage
