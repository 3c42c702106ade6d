// SPDX-License-Identifier: MIT
#include "storage/sqlite/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace catbird::storage::sqlite {

namespace {

constexpr int owner_only = 0600;

std::unexpected<Error> refuse(const std::string& what, const std::error_code& why) {
  return fail(Errc::storage_unavailable, what + ": " + why.message());
}

std::error_code last_error() { return {errno, std::generic_category()}; }

}  // namespace

std::string directory_of(const std::string& path) {
  auto parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

Result<void> prepare_file(const std::string& path) {
  if (path.empty() || path.starts_with(':') || path.starts_with("file:")) {
    return fail(Errc::storage_unavailable, "unsafe storage: the database must be a plain file");
  }
  std::error_code error;
  std::filesystem::create_directories(directory_of(path), error);
  if (error) return refuse("cannot make the directory " + directory_of(path), error);
  return {};
}

Result<void> create_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, owner_only);
  if (descriptor < 0) return refuse("cannot open " + path, last_error());
  ::close(descriptor);
  return sync_path(directory_of(path));
}

Result<void> sync_path(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return refuse("cannot open " + path, last_error());
  const int done = ::fsync(descriptor);
  const auto error = last_error();
  ::close(descriptor);
  if (done != 0) return refuse("cannot sync " + path, error);
  return {};
}

Result<void> rename_file(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::rename(from, to, error);
  if (error) return refuse("cannot rename " + from, error);
  return sync_path(directory_of(to));
}

}  // namespace catbird::storage::sqlite
