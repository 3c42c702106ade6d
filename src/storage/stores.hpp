// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/cleaner.hpp"
#include "storage/convo_store.hpp"
#include "storage/reader.hpp"
#include "storage/user_writer.hpp"

#include <cstddef>
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
  std::uint64_t wal_bytes = 0;         // after the last commit
  std::uint64_t connections = 0;       // open now
  std::uint64_t connections_lost = 0;  // since start
  std::uint64_t splits = 0;            // batches taken apart to find a guilty set
};

/// A backend: one writer for each lane, any number of readers, one per reader thread. Outlives
/// both.
class Stores {
 public:
  virtual ~Stores() = default;
  virtual ConvoStore& writer() = 0;
  /// Writers that may be used at the same time, each by one lane; lane(0) is writer(). A
  /// conversation is always written through the same one.
  virtual std::size_t lanes() const { return 1; }
  virtual ConvoStore& lane(std::size_t) { return writer(); }
  /// True while no other process can write: then an answer from memory is true (DECISIONS 7). Else
  /// it must be confirmed with Reader::standings. Callable from any thread.
  virtual bool alone() const { return true; }
  virtual Result<std::unique_ptr<Reader>> open_reader() = 0;
  /// For retention, on a thread of its own; null where it runs as jobs of the lane
  /// (UserWriter::cleaner).
  virtual Result<std::unique_ptr<Cleaner>> open_cleaner() { return nullptr; }
  /// Changes whenever the log may have been rewound (a restore): part of every stream cursor (L6).
  virtual std::string incarnation() const = 0;
  /// For the log and /health: "sqlite", "postgres", "memory".
  virtual std::string name() const = 0;
  /// Callable from any thread.
  virtual StoreStats stats() const { return {}; }
};

}  // namespace catbird::storage
