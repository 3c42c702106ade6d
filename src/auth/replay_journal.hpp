// SPDX-License-Identifier: MIT
#pragma once

#include "auth/replay_set.hpp"
#include "base/result.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace catbird::auth {

using BootId = std::array<std::uint8_t, 16>;

/// The kernel's name for this boot of the machine; zeros if there is none, which never counts as
/// the same boot.
BootId current_boot_id();

struct JournalOptions {
  std::string path;
  BootId boot{};
  std::uint32_t now = 0;           // seconds since 1970
  std::uint32_t life_seconds = 0;  // the longest a used token can stay valid
  std::size_t rotate_bytes_min = 0;
};

/// Used tokens on disk, so that a restart forgets none: an append-only file of 24-byte records,
/// each with its checksum. A record is written with write(2) and not synced: it survives the death
/// of the process. A power cut shows as another boot id without the mark of a clean end.
///
/// After `life_seconds` the file becomes `path.old`, replacing one whose records have all expired:
/// nothing is ever rewritten while requests wait. `path.lock` keeps a second process out.
/// Not thread-safe: the caller holds one lock around all calls.
class ReplayJournal {
 public:
  using Visit = std::function<void(const ReplayEntry&)>;
  /// Calls its argument once for each entry the new file must hold.
  using Snapshot = std::function<void(const Visit&)>;

  struct Loaded;
  /// Reads what is there; `entry` sees every readable record that has not expired. Fails only if
  /// no journal can be kept at that path.
  static Result<Loaded> open(JournalOptions options, const Visit& entry);

  ~ReplayJournal();
  ReplayJournal(const ReplayJournal&) = delete;
  ReplayJournal& operator=(const ReplayJournal&) = delete;

  /// Starts a fresh file with these entries; tokens issued before `blind_before` stay unknown to
  /// it. False: see append.
  bool rewrite(std::uint32_t now, std::uint32_t blind_before, const Snapshot& snapshot);
  /// False: the disk refused. The journal has removed its files, so that the next start knows that
  /// it does not know; `rewrite` may bring it back.
  bool append(const ReplayEntry& entry, std::uint32_t now);
  /// True after a failure whose traces could not even be removed: no token may be accepted.
  bool is_treacherous() const { return treacherous_; }
  bool is_writing() const { return file_ >= 0; }

 private:
  ReplayJournal(JournalOptions options, int lock_file);
  int create_segment(std::uint64_t generation, std::uint32_t blind_before, bool needs_old);
  bool rotate(std::uint32_t now);
  bool give_up();
  void close_cleanly();

  JournalOptions options_;
  int lock_file_ = -1;
  int file_ = -1;
  bool treacherous_ = false;
  std::uint64_t generation_ = 0;
  std::uint32_t blind_before_ = 0;
  std::size_t segment_bytes_ = 0;
  std::uint32_t segment_started_ = 0;
  std::uint32_t segment_expiry_ = 0;  // the latest in the current file
  std::uint32_t old_expiry_ = 0;      // the latest in path.old
};

struct ReplayJournal::Loaded {
  std::unique_ptr<ReplayJournal> journal;
  /// Tokens issued before this second may have been used without a record here. `now`, if the
  /// journal is new, damaged, or of a machine that lost power.
  std::uint32_t blind_before = 0;
};

}  // namespace catbird::auth
