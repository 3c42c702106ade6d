// SPDX-License-Identifier: MIT
#include "xrpc/rate_limiter.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace catbird::xrpc {

RateLimiter::RateLimiter(RateLimits limits) : limits_(limits), rejoins_(limits.rejoins) {}

std::uint32_t RateLimiter::take(std::string_view user, RateClass kind, actors::Instant now) {
  const auto index = static_cast<std::size_t>(kind);
  const double burst = limits_.per_minute[index];
  if (burst == 0) return 0;
  const double per_second = burst / 60.0;
  // Distinct users of one 64-bit hash would share a bucket: harmless, and 2^-64 likely.
  const auto key = std::hash<std::string_view>{}(user) * 31 + index;
  auto& shard = shards_[key % shards_count];
  const std::lock_guard lock(shard.mutex);
  auto it = shard.buckets.find(key);
  if (it == shard.buckets.end()) {
    if (shard.buckets.size() >= limits_.keys_max / shards_count + 1) make_room(shard, now);
    it = shard.buckets.emplace(key, Bucket{burst, now}).first;
  }
  auto& bucket = it->second;
  const std::chrono::duration<double> passed = now - bucket.at;
  bucket.tokens = std::min(burst, bucket.tokens + passed.count() * per_second);
  bucket.at = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return 0;
  }
  return std::max(1U, static_cast<std::uint32_t>(std::ceil((1 - bucket.tokens) / per_second)));
}

void RateLimiter::make_room(Shard& shard, actors::Instant now) const {
  std::erase_if(shard.buckets,
                [&](const auto& entry) { return now - entry.second.at > limits_.bucket_ttl; });
  if (shard.buckets.size() < limits_.keys_max / shards_count + 1) return;
  // Still full: drop the older half, in one pass over a bounded map.
  std::vector<actors::Instant> ages;
  ages.reserve(shard.buckets.size());
  for (const auto& [key, bucket] : shard.buckets) ages.push_back(bucket.at);
  auto middle = ages.begin() + static_cast<std::ptrdiff_t>(ages.size() / 2);
  std::ranges::nth_element(ages, middle);
  std::erase_if(shard.buckets, [&](const auto& entry) { return entry.second.at <= *middle; });
}

std::size_t RateLimiter::keys() const {
  std::size_t count = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    count += shard.buckets.size();
  }
  return count;
}

}  // namespace catbird::xrpc
