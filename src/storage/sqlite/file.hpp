// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"

#include <string>

// Files and directories around a database.

namespace catbird::storage::sqlite {

/// Refuses names that SQLite would not take as a plain file, and makes the directory.
Result<void> prepare_file(const std::string& path);
/// Makes an empty file that only its owner may read, unless there is one; what SQLite puts beside
/// it has the same mode.
Result<void> create_file(const std::string& path);
/// Forces a file, or the names in a directory, onto the disk.
Result<void> sync_path(const std::string& path);
Result<void> rename_file(const std::string& from, const std::string& to);
std::string directory_of(const std::string& path);
bool file_exists(const std::string& path);

}  // namespace catbird::storage::sqlite
