// SPDX-License-Identifier: MIT
#pragma once

#include "core/conversation.hpp"

namespace catbird::core {

/// Keeps the answer with the command's idempotency key, if it has one. The last thing of a
/// decision.
inline void record(Decision& decision, const Command& command) {
  if (!command.key) return;
  decision.events.emplace_back(
      RequestRecorded{command.caller.user, *command.key, decision.outcome});
}

}  // namespace catbird::core
