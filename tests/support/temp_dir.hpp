// SPDX-License-Identifier: MIT
#pragma once

#include "base/check.hpp"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace catbird::test {

/// A directory that is gone at the end of the test.
class TempDir {
 public:
  TempDir() : TempDir(std::filesystem::temp_directory_path()) {}
  explicit TempDir(const std::filesystem::path& parent) {
    auto pattern = (parent / "catbird-XXXXXX").string();
    CATBIRD_CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

  /// Where a file costs no disk, if the machine has such a place.
  static std::filesystem::path in_memory() {
    const std::filesystem::path memory("/dev/shm");
    std::error_code ignored;
    return std::filesystem::is_directory(memory, ignored) ? memory
                                                          : std::filesystem::temp_directory_path();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace catbird::test
