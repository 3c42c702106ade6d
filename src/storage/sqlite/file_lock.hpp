// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>

namespace catbird::storage::sqlite {

/// Held for the life of the process that owns a database. The kernel drops it when the process
/// dies, however it dies. The lock file stays behind: removing it would let two processes lock two
/// different files of one name.
class FileLock {
 public:
  /// Fails at once with storage_unavailable if someone else holds it.
  static Result<std::unique_ptr<FileLock>> acquire(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace catbird::storage::sqlite
