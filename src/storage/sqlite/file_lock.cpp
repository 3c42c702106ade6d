// SPDX-License-Identifier: MIT
#include "storage/sqlite/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace catbird::storage::sqlite {

namespace {

constexpr int owner_only = 0600;

std::string reason() { return std::error_code(errno, std::generic_category()).message(); }

}  // namespace

Result<std::unique_ptr<FileLock>> FileLock::acquire(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, owner_only);
  if (descriptor < 0) {
    return fail(Errc::storage_unavailable, "cannot open the lock file " + path + ": " + reason());
  }
  std::unique_ptr<FileLock> lock(new FileLock(descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) {
    return fail(Errc::storage_unavailable,
                "another process is using this database: " + path + " is locked");
  }
  return fail(Errc::storage_unavailable, "cannot lock " + path + ": " + reason());
}

FileLock::~FileLock() { ::close(descriptor_); }

}  // namespace catbird::storage::sqlite
