// SPDX-License-Identifier: MIT
#pragma once

#include "core/policy.hpp"
#include "core/roster.hpp"
#include "core/types.hpp"

#include <optional>
#include <string>
#include <vector>

namespace catbird::core {

/// Everything an activation keeps of a conversation, as the store loads it: a constant number of
/// indexed queries, whatever the length of the history. Message bytes are never part of it.
struct Snapshot {
  bool exists = false;
  Bytes group_id;
  Did creator;
  std::uint16_t suite = 0;
  Timestamp created_at;
  Epoch creation_epoch;
  Epoch epoch;
  Seq last_seq;  // N
  std::optional<Epoch> group_info_epoch;
  Roster members;
  Policy policy;
  friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

/// A key already used in this conversation, newest first when loaded.
struct KnownKey {
  std::string key;  // KeyWindow::message_key() or request_key()
  Hash payload{};   // request keys only
  SenderTag tag{};  // message keys only
  Outcome outcome;
};

}  // namespace catbird::core
