// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace catbird::storage {

/// While it lives, SQLite opens its files through a layer that can fail. One at a time.
class FaultyVfs {
 public:
  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  /// The next fsync of a file whose name ends in `suffix` fails with EIO, and no other.
  static void fail_next_sync(const std::string& suffix);
  /// The same for a write.
  static void fail_next_write(const std::string& suffix);
};

}  // namespace catbird::storage
