// SPDX-License-Identifier: MIT
#pragma once

#include "storage/stores.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace catbird::storage {

/// What happens to one batch. `failed` and `unknown` are CommitStatus of every set and job in it.
enum class Fault : std::uint8_t {
  none,
  fail_before,         // failed, nothing applied
  full,                // failed with storage_full, nothing applied
  unknown_lost,        // unknown, nothing applied
  unknown_committed,   // unknown, applied and durable
  unknown_unsynced,    // unknown, applied and visible; a crash before the next sync loses it
  committed_unsynced,  // a disk that lies: committed, yet a crash before the next sync loses it
};

/// The durable state of a store in memory, with the crashes of a real disk. Outlives the stores
/// opened on it: crash, drop the old store, open again. Thread-safe except for the setters, which
/// belong before any store is used. Deterministic: the same calls give the same answers.
class MemoryDisk {
 public:
  struct Data;

  MemoryDisk();
  ~MemoryDisk();
  MemoryDisk(const MemoryDisk&) = delete;
  MemoryDisk& operator=(const MemoryDisk&) = delete;

  /// For the next batch; several calls are for as many batches.
  void inject(Fault fault);
  /// Asked for every batch for which nothing was injected. Must not call the disk or its stores.
  void on_batch(std::function<Fault(std::span<const WriteSet>, std::span<const UserJob>)> choose);
  /// Asked before every read: true fails it with storage_unavailable. Must not call back either.
  void on_read(std::function<bool()> fails);

  /// Loses what was applied but never synced.
  void crash();
  std::size_t unsynced_batches() const;
  /// As after a restore from a backup: old stream cursors are no longer ours.
  void new_incarnation();

  Data& data() { return *data_; }

 private:
  std::unique_ptr<Data> data_;
};

/// The disk must outlive the stores and their readers.
std::unique_ptr<Stores> open_memory(MemoryDisk& disk);

}  // namespace catbird::storage
