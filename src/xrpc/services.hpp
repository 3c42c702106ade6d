// SPDX-License-Identifier: MIT
#pragma once

#include "actors/commit_lane.hpp"
#include "actors/executor.hpp"
#include "actors/gateway.hpp"
#include "actors/readers.hpp"
#include "auth/service_auth.hpp"
#include "base/time.hpp"
#include "core/limits.hpp"
#include "obs/metrics.hpp"
#include "realtime/hub.hpp"
#include "social/blocks.hpp"
#include "xrpc/operator/suspensions.hpp"
#include "xrpc/rate_limiter.hpp"
#include "xrpc/sender_tags.hpp"
#include "xrpc/token_seal.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace catbird::xrpc {

struct ServiceSettings {
  std::string service_did;
  std::string public_endpoint;     // for /.well-known/did.json; empty: https://<host of did:web>
  std::string websocket_endpoint;  // WEBSOCKET_ENDPOINT; empty: made of the two above
  std::string incarnation;         // of the store's log: part of stream cursors
  bool actors = true;              // ENABLE_ACTOR_SYSTEM, shown by /health
  bool serve_metrics = true;       // ENABLE_METRICS
  std::string metrics_token;       // METRICS_TOKEN; empty: /metrics is open
  std::size_t devices_max = core::devices_per_user_default;  // MAX_DEVICES_PER_USER
  std::uint32_t ip_per_minute = 0;                // RATE_LIMIT_IP_PER_MINUTE; 0: off (DECISIONS 22)
  std::chrono::milliseconds ask_deadline{8'000};  // the PDS proxy gives up after 10 s
  std::chrono::milliseconds stream_keepalive{15'000};
};

/// What every endpoint may use. Built once by app/; outlives all requests.
struct Services {
  actors::Gateway& gateway;
  actors::CommitLane& lane;
  actors::Readers& readers;
  actors::Executor& timers;                // any worker: user jobs settle here
  std::vector<actors::Executor*> workers;  // streams are spread over these
  realtime::Hub& hub;
  auth::ServiceAuth& auth;
  const Clock& clock;
  const SenderTags& tags;
  const TokenSeal& seal;
  RateLimiter& limiter;
  obs::Metrics& metrics;
  ServiceSettings settings;
  /// False where rows may become durable that the hub is not told of in commit order (other
  /// processes, several lanes): a stream then takes what the hub has only as a hint to read the
  /// store, so that no cursor stands above a row that was not shown.
  std::function<bool()> live_is_complete = [] { return true; };
  social::Blocks* blocks = nullptr;  // null: ENABLE_BLOCK_CHECKS is off
  Suspensions suspended{};
};

}  // namespace catbird::xrpc
