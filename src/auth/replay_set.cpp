// SPDX-License-Identifier: MIT
#include "auth/replay_set.hpp"

#include "auth/limits.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace catbird::auth {
namespace {

constexpr std::size_t slots_min = 64;

constexpr unsigned shard_bits = 32;  // the table uses the bits below them

}  // namespace

std::uint64_t ReplaySet::scatter(const ReplayKey& key) const {
  std::uint64_t mixed = (static_cast<std::uint64_t>(key[0]) << 32 | key[1]) ^ seed_;
  mixed *= 0x9E37'79B9'7F4A'7C15;  // 2^64 / golden ratio: spreads every bit upwards
  return mixed ^ mixed >> 32;
}

ReplaySet::Place ReplaySet::find_place(std::vector<ReplayEntry>& slots, const ReplayKey& key,
                                       std::uint32_t now) const {
  Place place;
  const std::size_t mask = slots.size() - 1;
  for (std::size_t i = scatter(key) & mask;; i = (i + 1) & mask) {
    ReplayEntry& slot = slots[i];
    if (slot.expiry == 0) {
      if (place.vacant == nullptr) place.vacant = &slot;
      return place;
    }
    if (slot.key == key) {
      place.found = &slot;
      return place;
    }
    if (slot.expiry <= now && place.vacant == nullptr) place.vacant = &slot;
  }
}

ReplaySet::ReplaySet(std::size_t entries_max, std::uint64_t seed)
    : seed_(seed),
      shard_count_(entries_max >= replay_shards * replay_shard_entries_min ? replay_shards : 1),
      shard_entries_max_(std::max<std::size_t>(entries_max / shard_count_, 1)),
      shards_(std::make_unique<Shard[]>(shard_count_)) {}

ReplaySet::Outcome ReplaySet::insert(const ReplayEntry& entry, std::uint32_t now) {
  Shard& shard = shards_[(scatter(entry.key) >> shard_bits) % shard_count_];
  const std::scoped_lock lock(shard.mutex);
  if (entry.expiry <= shard.dropped_until) return Outcome::blurred;
  if (shard.slots.empty()) shard.slots.resize(slots_min);

  Place place = find_place(shard.slots, entry.key, now);
  if (place.found != nullptr && place.found->expiry > now) return Outcome::used;
  if (place.found != nullptr) place.vacant = place.found;
  if (place.vacant->expiry == 0) {
    // Three of four slots at most, so that a probe stays short.
    const bool crowded = (shard.occupied + 1) * 4 > shard.slots.size() * 3;
    if (crowded || shard.occupied >= shard_entries_max_) {
      if (!make_room(shard, now)) return Outcome::full;
      place = find_place(shard.slots, entry.key, now);
    }
    ++shard.occupied;
  } else {
    shard.dropped_until = std::max(shard.dropped_until, place.vacant->expiry);
  }
  *place.vacant = entry;
  return Outcome::fresh;
}

/// Drops what has expired and sizes the table for what has not.
bool ReplaySet::make_room(Shard& shard, std::uint32_t now) const {
  // A full set is looked through once a second, not once a request.
  const bool is_full = shard.occupied >= shard_entries_max_;
  if (is_full && shard.swept_at == now) return false;
  shard.swept_at = now;
  std::size_t live = 0;
  for (const auto& slot : shard.slots) live += slot.expiry > now ? 1 : 0;
  std::vector<ReplayEntry> slots(std::bit_ceil(std::max(slots_min, (live + 1) * 2)));
  std::swap(slots, shard.slots);
  for (const auto& slot : slots) {
    if (slot.expiry > now) {
      *find_place(shard.slots, slot.key, now).vacant = slot;
    } else {
      shard.dropped_until = std::max(shard.dropped_until, slot.expiry);
    }
  }
  shard.occupied = live;
  return live < shard_entries_max_;
}

void ReplaySet::forget_dropped(std::uint32_t now) {
  for (std::size_t i = 0; i < shard_count_; ++i) {
    const std::scoped_lock lock(shards_[i].mutex);
    shards_[i].dropped_until = std::min(shards_[i].dropped_until, now);
  }
}

void ReplaySet::for_each_live(std::uint32_t now,
                              const std::function<void(const ReplayEntry&)>& visit) const {
  for (std::size_t i = 0; i < shard_count_; ++i) {
    const std::scoped_lock lock(shards_[i].mutex);
    for (const auto& slot : shards_[i].slots) {
      if (slot.expiry > now) visit(slot);
    }
  }
}

std::size_t ReplaySet::memory_bytes() const {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < shard_count_; ++i) {
    const std::scoped_lock lock(shards_[i].mutex);
    bytes += shards_[i].slots.size() * sizeof(ReplayEntry);
  }
  return bytes;
}

}  // namespace catbird::auth
