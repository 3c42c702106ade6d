// SPDX-License-Identifier: MIT
#pragma once

#include "actors/commit_lane.hpp"
#include "actors/engine.hpp"
#include "actors/gateway.hpp"
#include "actors/readers.hpp"
#include "base/time.hpp"

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace catbird::actors {

/// ENABLE_ACTOR_SYSTEM=false: nothing of a conversation stays in memory. Every command is one
/// transaction that locks, loads, decides with the same core, and writes; every read loads. Slower
/// than the actors, and an operator's way out when they misbehave: both work on the same data, and
/// the fence that each request draws makes an actor of another process reload.
class DirectGateway final : public Gateway {
 public:
  struct Parts {
    std::vector<Executor*> workers;  // replies run here; one conversation's on one of them
    CommitLane& lane;
    Readers& readers;
    const Clock& clock;
    ActorMetrics& metrics;
    std::vector<CommitLane*> lanes{};  // with more than one: all of them
  };
  /// Everything in `parts` outlives the gateway, and the gateway every task it posts.
  explicit DirectGateway(Parts parts) : parts_(std::move(parts)) {}

  void ask(core::ConvoId convo, core::Command command, Instant deadline, Reply reply) override;
  void access(core::ConvoId convo, core::Did user, Instant deadline, AccessReply reply) override;
  std::size_t active_actors() const override { return 0; }

 private:
  struct Request;

  Result<std::optional<storage::WriteSet>> decide(Request& request, storage::Reader& reader,
                                                  core::Fence fence);
  void answer(Request& request, storage::WriteResult result);
  Executor& home(const core::ConvoId& convo) const;
  bool admit(std::size_t bytes);
  void leave(std::size_t bytes);

  Parts parts_;
  std::atomic<std::size_t> open_{0};
  std::atomic<std::size_t> bytes_{0};
};

}  // namespace catbird::actors
