// SPDX-License-Identifier: MIT
#pragma once

#include "core/events.hpp"

#include <cstdint>
#include <optional>
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
/// A notice that is durable; its positions are the rows'.
struct LiveNotice {
  core::ConvoId convo;
  std::uint64_t position = 0;
  core::Noted noted;
};
/// An ephemeral message: never stored, never numbered, for those who listen right now (L7).
struct Whisper {
  core::ConvoId convo;
  core::Seq seq;  // N
  core::Epoch epoch;
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
using LogEvent = std::variant<LiveRow, LiveNotice, Whisper, RosterChange>;

/// The conversation of any of them.
inline const core::ConvoId& convo_of(const LogEvent& event) {
  return std::visit([](const auto& one) -> const core::ConvoId& { return one.convo; }, event);
}
/// Its place in the log, if it has one.
inline std::optional<std::uint64_t> position_of(const LogEvent& event) {
  if (const auto* row = std::get_if<LiveRow>(&event)) return row->position;
  if (const auto* notice = std::get_if<LiveNotice>(&event)) return notice->position;
  return std::nullopt;
}

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
