// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/convo_store.hpp"
#include "storage/reader.hpp"
#include "storage/user_writer.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace catbird::storage {

/// What a backend counts about itself, for metrics; zero where it has no meaning.
struct StoreStats {
  std::uint64_t commits = 0;       // transactions
  std::uint64_t corrupt_rows = 0;  // checksum mismatches met by reads
  std::uint64_t checkpoints = 0;
  std::uint64_t checkpoint_pause_us = 0;  // in total: time in which the lane could not write
  std::uint64_t checkpoint_pause_max_us = 0;
  std::uint64_t wal_bytes = 0;  // after the last commit
};

/// A backend: one writer for the lane, any number of readers, one per reader thread. Outlives both.
class Stores {
 public:
  virtual ~Stores() = default;
  virtual ConvoStore& writer() = 0;
  virtual Result<std::unique_ptr<Reader>> open_reader() = 0;
  /// Changes whenever the log may have been rewound (a restore): part of every stream cursor (L6).
  virtual std::string incarnation() const = 0;
  /// For the log and /health: "sqlite", "memory".
  virtual std::string name() const = 0;
  /// Callable from any thread.
  virtual StoreStats stats() const { return {}; }
};

}  // namespace catbird::storage
