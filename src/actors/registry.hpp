// SPDX-License-Identifier: MIT
#pragma once

#include "actors/conversation_actor.hpp"

#include <list>
#include <memory>
#include <string>
#include <unordered_map>

namespace catbird::actors {

/// The actors of one worker. A conversation belongs to exactly one worker and everything here runs
/// on it, so get-or-spawn is one local step and two actors of one conversation cannot exist.
class Registry final : public ConversationActor::Owner {
 public:
  /// Must outlive every task it posts to `own`.
  Registry(Executor& own, Engine& engine, std::size_t actor_bytes_max);

  /// Finds or spawns the actor and hands it the letter.
  void deliver(const core::ConvoId& convo, Letter letter);

  /// Starts the periodic passivation pass (idle timeout, key windows, memory cap).
  void start();
  std::size_t size() const { return actors_.size(); }
  /// One pass, for tests and the simulator; start() repeats it.
  void sweep();

 private:
  struct Slot {
    std::unique_ptr<ConversationActor> actor;
    std::list<const core::ConvoId*>::iterator use;  // in used_, longest idle first
    bool leaving = false;
  };

  Slot& get_or_spawn(const core::ConvoId& convo);
  void changed(const core::ConvoId& id) override;
  void look_at(const core::ConvoId& id);
  void passivate(const core::ConvoId& id, obs::Counter& reason);
  void remove(const core::ConvoId& id, obs::Counter& reason);
  void schedule_sweep();

  Executor& own_;
  Engine& engine_;
  const std::size_t actor_bytes_max_;
  struct ById {
    std::size_t operator()(const core::ConvoId& id) const {
      return std::hash<std::string>{}(id.value);
    }
  };
  std::unordered_map<core::ConvoId, Slot, ById> actors_;
  std::list<const core::ConvoId*> used_;  // keys of actors_
  std::size_t removed_ = 0;               // since memory was given back
};

}  // namespace catbird::actors
