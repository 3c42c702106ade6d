// SPDX-License-Identifier: MIT
#pragma once

#include "auth/lru_map.hpp"
#include "base/digest.hpp"
#include "base/time.hpp"
#include "core/types.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace catbird::xrpc {

/// How often a conversation takes an external commit (RFC 9420 §12.4.3.2), so that clients that
/// take "behind" for "lost" do not drive each other from epoch to epoch.
struct RejoinLimits {
  std::uint32_t storm_max = 5;  // accepted within storm_window; 0: no limits at all
  std::chrono::seconds storm_window{300};
  std::chrono::seconds device_pause{60};  // after one, for the same device
  std::chrono::seconds convo_pause{30};   // after one, for everybody
};

struct Rejoin {
  core::ConvoId convo;
  core::Caller device;
  Sha256 commit{};  // of its bytes
};

/// Remembers what was accepted, in this process. Thread-safe, bounded: of the conversations that
/// were quiet for longest it knows nothing any more.
class RejoinGate {
 public:
  explicit RejoinGate(RejoinLimits limits);

  /// 0: go on, else the seconds to wait. A repetition of what was accepted goes on.
  std::uint32_t wait_for(const Rejoin& rejoin, Timestamp now);
  void accepted(const Rejoin& rejoin, Timestamp now);
  /// Whether a commit of the device was accepted at `since` or later.
  bool knows(const Rejoin& rejoin, Timestamp since);

 private:
  struct Accepted {
    core::Caller device;
    Sha256 commit{};
    Timestamp at;
  };
  using Recent = std::vector<Accepted>;  // the oldest first

  const RejoinLimits limits_;
  std::mutex mutex_;
  auth::LruMap<Recent> convos_;
};

}  // namespace catbird::xrpc
