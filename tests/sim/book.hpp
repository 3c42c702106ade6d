// SPDX-License-Identifier: MIT
#pragma once

#include "core/commands.hpp"
#include "sim/names.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>

namespace catbird::sim {

/// One thing a client asked for that may change something, whatever became of it.
struct Op {
  std::string id;
  std::size_t user = 0;
  std::size_t convo = 0;
  core::Command command;
  bool forbidden = false;  // another's msgId, or a key of another request: must never take effect
  bool foreign = false;    // of the intruder
  std::size_t burst = 0;   // pipelined together, in order of `place` (O6)
  std::size_t place = 0;
  std::size_t first_version = 0;  // of its conversation when it was first sent

  std::size_t attempts = 0;  // times its client sent it
  std::size_t copies = 0;    // requests that reached a gateway
  std::size_t refused = 0;   // ... and were refused for good
  std::size_t applied = 0;   // times it took effect
  std::size_t version = 0;   // of its conversation, made by it
  core::Outcome stored;      // what it wrote, so what it must answer
  bool answered = false;     // a client was told of success

  bool is_once() const {
    return !std::holds_alternative<core::UpdateGroupInfo>(command.what) &&
           !std::holds_alternative<core::MarkRead>(command.what);
  }
};

/// All that was ever asked. What is stored is found again by what its bytes or its key say.
class Book {
 public:
  Op& add(Op op) {
    auto& kept = ops_.emplace_back(std::move(op));
    by_id_[kept.id] = &kept;
    return kept;
  }
  Op* find(const std::string& id) {
    auto it = by_id_.find(id);
    return it == by_id_.end() ? nullptr : it->second;
  }
  const std::deque<Op>& all() const { return ops_; }

 private:
  std::deque<Op> ops_;
  std::map<std::string, Op*> by_id_;
};

/// Whether it changes who may do what, or asks and warns, and no MLS group.
inline bool governs(const core::Command& command) {
  return std::holds_alternative<core::ChangeRole>(command.what) ||
         std::holds_alternative<core::ChangePolicy>(command.what) ||
         std::holds_alternative<core::WarnMember>(command.what) ||
         std::holds_alternative<core::AskForHelp>(command.what);
}

/// The group parts of a command that has them.
inline const core::GroupParts* parts_of(const core::Command& command) {
  return std::visit(
      [](const auto& what) -> const core::GroupParts* {
        if constexpr (requires { what.parts; }) return &what.parts;
        return nullptr;
      },
      command.what);
}

}  // namespace catbird::sim
