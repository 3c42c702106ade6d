// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace catbird::crash {

/// One thing that was asked of the disk.
struct Op {
  enum class Kind : std::uint8_t { create, write, truncate, sync, remove };
  Kind kind = Kind::write;
  std::size_t file = 0;      // in Recording::files
  std::uint64_t offset = 0;  // write; truncate: the new size
  Bytes data;                // write
  bool syncs_names = false;  // this also makes the directory's entries durable
};

/// What the program said to others while the recording ran; `at` operations had been asked for.
struct Mark {
  enum class Kind : std::uint8_t { opened, fence, started, acknowledged };
  Kind kind = Kind::opened;
  std::size_t at = 0;
  std::uint64_t value = 0;
};

/// Everything SQLite did to its files, in order, and what it promised meanwhile. Inodes, not names:
/// a file that is removed and made again is another one.
struct Recording {
  struct File {
    std::string name;  // without its directory
    Bytes before;      // durable when the recording began
    bool existed = false;
  };
  std::vector<File> files;
  std::vector<Op> ops;
  std::vector<Mark> marks;

  void mark(Mark::Kind kind, std::uint64_t value = 0) {
    marks.push_back({kind, ops.size(), value});
  }
};

enum class Disk : std::uint8_t { honest, lies };  // lies: fsync says yes and does nothing

/// While it lives, SQLite's files are recorded as well as written. `into` already lists the files
/// that are there. One at a time, one thread.
class RecordingVfs {
 public:
  RecordingVfs(Recording& into, Disk disk);
  ~RecordingVfs();
  RecordingVfs(const RecordingVfs&) = delete;
  RecordingVfs& operator=(const RecordingVfs&) = delete;
};

}  // namespace catbird::crash
