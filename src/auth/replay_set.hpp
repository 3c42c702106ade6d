// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace catbird::auth {

/// A token as the replay records know it: 128 bits of SHA-256 over (iss, jti). No DID is kept.
using ReplayKey = std::array<std::uint32_t, 4>;

/// `expiry`: seconds since 1970 after which the token is refused anyway.
struct ReplayEntry {
  ReplayKey key{};
  std::uint32_t expiry = 0;  // 0: an empty slot
};

/// The tokens that were used and have not expired: 20 bytes a slot, no allocation per token.
/// Expired slots are used again; nothing is ever swept on a timer. Thread-safe.
class ReplaySet {
 public:
  enum class Outcome {
    fresh,   // added: the only such answer for this key until `expiry`
    used,    // already there
    full,    // `entries_max` unexpired tokens: cannot promise anything about one more
    blurred  // the clock went back to where entries were already dropped
  };

  /// `seed`: random, so that nobody can choose tokens that meet in one place of the table.
  ReplaySet(std::size_t entries_max, std::uint64_t seed);

  Outcome insert(const ReplayEntry& entry, std::uint32_t now);
  /// The clock went back so far that no valid token can be one that was dropped since.
  void forget_dropped(std::uint32_t now);
  void for_each_live(std::uint32_t now, const std::function<void(const ReplayEntry&)>& visit) const;
  std::size_t memory_bytes() const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::vector<ReplayEntry> slots;   // a power of two, open addressing
    std::size_t occupied = 0;         // slots that are not empty, expired ones included
    std::uint32_t swept_at = 0;       // last rebuild
    std::uint32_t dropped_until = 0;  // an entry with expiry <= this may have been dropped
  };

  /// Where a key is, or the slot it would take: an expired one on its way, else an empty one.
  struct Place {
    ReplayEntry* found = nullptr;
    ReplayEntry* vacant = nullptr;
  };

  std::uint64_t scatter(const ReplayKey& key) const;
  Place find_place(std::vector<ReplayEntry>& slots, const ReplayKey& key, std::uint32_t now) const;
  bool make_room(Shard& shard, std::uint32_t now) const;

  std::uint64_t seed_;
  std::size_t shard_count_;
  std::size_t shard_entries_max_;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace catbird::auth
