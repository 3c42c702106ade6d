// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "base/result.hpp"
#include "core/commands.hpp"
#include "core/conversation.hpp"

#include <cstddef>
#include <functional>

namespace catbird::actors {

using Reply = std::move_only_function<void(Result<core::Outcome>)>;
using AccessReply = std::move_only_function<void(Result<core::Access>)>;

/// The only way to a conversation's state. One implementation per value of ENABLE_ACTOR_SYSTEM.
///
/// Any thread may call; the reply comes exactly once, on a worker thread. A reply to a command
/// means that it is durable (or refused, or answered from a record that is durable). `retry`,
/// `overloaded`, `deadline` and the storage errors leave the outcome open: the same request again,
/// with the same key, finds the truth.
class Gateway {
 public:
  virtual ~Gateway() = default;
  virtual void ask(core::ConvoId convo, core::Command command, Instant deadline, Reply reply) = 0;
  /// What `user` may read and where the conversation stands: from memory, linearizable, never more
  /// than what is durable.
  virtual void access(core::ConvoId convo, core::Did user, Instant deadline, AccessReply reply) = 0;
  virtual std::size_t active_actors() const = 0;
};

}  // namespace catbird::actors
