// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"
#include "storage/convo_store.hpp"
#include "storage/sqlite/database.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The rows of a conversation and its members, as the writer changes and the readers read them.

namespace catbird::storage::sqlite {

struct ConvoRow {
  RowHandle id = 0;
  core::ConvoId convo;
  Bytes group_id;
  std::uint64_t generation = 0;
  core::Did creator;
  std::uint16_t suite = 0;
  std::string name;
  Timestamp created_at;
  core::Epoch creation_epoch;
  core::Epoch epoch;
  core::Seq last_seq;  // next_seq - 1
  core::Seq first_seq{1};
  core::Version version;
  core::Fence fence;
  std::optional<core::Epoch> group_info_epoch;
  std::optional<Timestamp> last_message_at;
  std::uint64_t members = 0;
};

/// Nothing if there is no such conversation.
Result<std::optional<ConvoRow>> find_convo(Database& database, const core::ConvoId& convo);
Result<std::optional<ConvoRow>> find_convo(Database& database, RowHandle id);
/// A UNIQUE violation (id or group taken) is conflict.
Result<void> insert_convo(Database& database, const ConvoRow& row);
/// The write statement: advances the row only if it still is what the set expects. False if not.
Result<bool> update_convo(Database& database, const ConvoRow& row, const WriteSet& expected);

struct MemberRow {
  core::Did user;
  bool admin = false;
  core::Seq join_seq;
  core::Seq read_seq;
  Timestamp joined_at;
  std::optional<Timestamp> promoted_at;
  std::optional<core::Departure> left;
};

Result<std::optional<MemberRow>> find_member(Database& database, RowHandle convo,
                                             const core::Did& user);
Result<void> write_member(Database& database, RowHandle convo, const MemberRow& row);
/// Everyone who ever was a member, sorted by user. Fails with storage_corrupt unless they are as
/// many as the conversation says: a roster is complete or an error.
Result<std::vector<MemberRow>> all_members(Database& database, const ConvoRow& convo);

struct DeviceRow {
  core::Did user;
  core::DeviceId device;
};
/// Sorted by user and device.
Result<std::vector<DeviceRow>> all_devices(Database& database, RowHandle convo);

}  // namespace catbird::storage::sqlite
