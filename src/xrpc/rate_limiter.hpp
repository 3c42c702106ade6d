// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "xrpc/convos/rejoin_gate.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>

namespace catbird::xrpc {

/// One token bucket per DID and class. A row of the endpoint table names its class.
enum class RateClass : std::uint8_t {
  send_message,
  get_messages,
  read_state,
  publish_key_package,
  claim_key_package,
  add_members,
  create_convo,
  register_device,
  sync_key_packages,
  report_member,
  check_blocks,
  other,
};
inline constexpr std::size_t rate_classes = 12;

struct RateLimits {
  /// Requests per minute, by class; 0 = unlimited. DECISIONS 22: the predecessor's table times ten.
  std::array<std::uint32_t, rate_classes> per_minute{1000, 5000, 3000, 500, 500, 100,
                                                     50,   100,  300,  50,  100, 2000};
  std::size_t keys_max = 300'000;        // RATE_LIMIT_DID_MAX_KEYS
  std::chrono::seconds bucket_ttl{900};  // RATE_LIMIT_DID_BUCKET_TTL_SECONDS
  RejoinLimits rejoins{};                // RATE_LIMIT_EXTERNAL_COMMIT: their storm_max
};

/// Thread-safe, bounded: when full, the longest unused buckets go (a full bucket forgets nothing).
class RateLimiter {
 public:
  explicit RateLimiter(RateLimits limits);

  /// 0 = go on, else the seconds to wait. `user` is the bare DID (DECISIONS 15).
  std::uint32_t take(std::string_view user, RateClass kind, actors::Instant now);
  std::size_t keys() const;
  /// The limits of external commits, which are a conversation's, not a user's.
  RejoinGate& rejoins() { return rejoins_; }

 private:
  struct Bucket {
    double tokens = 0;
    actors::Instant at{};
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint64_t, Bucket> buckets;
  };
  static constexpr std::size_t shards_count = 16;

  void make_room(Shard& shard, actors::Instant now) const;

  const RateLimits limits_;
  RejoinGate rejoins_;
  std::array<Shard, shards_count> shards_;
};

}  // namespace catbird::xrpc
