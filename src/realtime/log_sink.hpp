// SPDX-License-Identifier: MIT
#pragma once

#include "core/types.hpp"

#include <cstdint>
#include <variant>
#include <vector>

namespace catbird::realtime {

/// A numbered row that is durable.
struct LiveRow {
  core::ConvoId convo;
  std::uint64_t position = 0;
  core::Seq seq;
  core::Epoch epoch;
  core::Kind kind = core::Kind::app;
  core::MsgId id;
  Timestamp at;
  Blob bytes;
};
/// Who may listen changed; takes effect between the rows it stands between.
struct RosterChange {
  core::ConvoId convo;
  core::Did user;
  bool joined = false;
  core::Seq seq;  // joined: rows after it are readable; left: the last readable one
};
using LogEvent = std::variant<LiveRow, RosterChange>;

/// Where the commit lane puts what became durable: in commit order, before any reply that depends
/// on it, from the lane's thread. Must not block.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void publish(std::vector<LogEvent> events) = 0;
  /// The outcome of a transaction is not known: rows may exist that were never published, so live
  /// readers must look at the store once.
  virtual void resync() = 0;
};

}  // namespace catbird::realtime
