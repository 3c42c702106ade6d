// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/types.hpp"
#include "storage/postgres/predecessor.hpp"

#include <optional>
#include <string>
#include <vector>

// What becomes of one of the predecessor's conversations here. Pure: the same rows give the same
// plan, so that an import that was cut off can go on.

namespace catbird::app {

struct PlannedRow {
  std::string source;  // OldMessage::row
  core::Seq seq;
  core::Epoch epoch;  // a commit's: the one it leads to
  core::Kind kind = core::Kind::app;
  core::MsgId id;
  core::Did sender;  // empty: not known
  std::optional<core::Epoch> base;
  Timestamp at;
};

struct PlannedMember {
  core::Did user;
  std::vector<core::DeviceId> devices;
  bool admin = false;
  core::Seq join_seq;
  core::Seq read_seq;
  Timestamp joined_at;
  std::optional<core::Seq> left_seq;
  core::Epoch left_epoch;
  Timestamp left_at;
};

struct PlannedWelcome {
  core::Did user;
  core::DeviceId device;
  Bytes ref;
  Bytes bytes;
  Timestamp at;
};

struct ConvoPlan {
  core::ConvoId convo;
  Bytes group_id;
  core::Did creator;
  std::uint16_t suite = 0;
  std::string name;
  Timestamp created_at;
  core::Epoch creation_epoch;
  core::Epoch epoch;
  std::vector<PlannedRow> rows;  // numbered 1..N
  std::vector<PlannedMember> members;
  std::vector<PlannedWelcome> welcomes;
  Bytes group_info;  // of `epoch`; empty: none
  std::size_t renumbered = 0;
  /// What could not be carried, or not as it was; one line each, without anybody's content.
  std::vector<std::string> remarks;
};

struct OldRows {
  storage::OldConvo convo;
  std::vector<storage::OldMember> members;
  std::vector<storage::OldMessage> messages;  // by (seq, created_at, id)
  std::vector<storage::OldWelcome> welcomes;
};

/// The MLS bytes decide about epochs wherever there are any; the predecessor counted its own.
/// Fails if the conversation cannot be carried at all, with the reason.
Result<ConvoPlan> plan_convo(const OldRows& old, Timestamp now);

/// A DID, perhaps with a device as fragment; nothing if it is none.
struct OldName {
  core::Did user;
  core::DeviceId device;
};
std::optional<OldName> old_name(const std::string& text, const std::string& device = {});

}  // namespace catbird::app
