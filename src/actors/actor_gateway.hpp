// SPDX-License-Identifier: MIT
#pragma once

#include "actors/engine.hpp"
#include "actors/gateway.hpp"
#include "actors/registry.hpp"

#include <memory>
#include <vector>

namespace catbird::actors {

/// ENABLE_ACTOR_SYSTEM=true: every conversation is one actor on one of the workers.
class ActorGateway final : public Gateway {
 public:
  /// `workers` and `engine` outlive the gateway, and the gateway every task it posts.
  ActorGateway(std::vector<Executor*> workers, Engine& engine);

  void ask(core::ConvoId convo, core::Command command, Instant deadline, Reply reply) override;
  void access(core::ConvoId convo, core::Did user, Instant deadline, AccessReply reply) override;
  std::size_t active_actors() const override { return engine_.active_actors.load(); }

  /// Starts the passivation passes.
  void start();
  /// For the simulator: one passivation pass now, on each worker.
  void sweep();

 private:
  struct Worker {
    Executor* own;
    std::unique_ptr<Registry> registry;
  };

  void deliver(core::ConvoId convo, Letter letter);

  Engine& engine_;
  std::vector<Worker> workers_;
};

}  // namespace catbird::actors
