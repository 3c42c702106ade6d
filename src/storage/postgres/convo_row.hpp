// SPDX-License-Identifier: MIT
#pragma once

#include "storage/postgres/connection.hpp"
#include "storage/postgres/sums.hpp"
#include "storage/rows.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

// The rows of a conversation and its members. Every row read is verified: one that is not what was
// written fails with storage_corrupt.

namespace catbird::storage::postgres {

/// All columns of `conversation` in the order convo_of() reads; parameter 1 is the convo_id.
extern const char* const select_convo;
/// `rows` starts with those columns.
Result<ConvoRow> convo_of(Connection& connection, const Rows& rows, int row);
/// Nothing if there is no such conversation.
Result<std::optional<ConvoRow>> find_convo(Connection& connection, const core::ConvoId& convo);
/// Locks the rows, in the order of their handles, and reads them as they then are.
Result<std::map<core::ConvoId, ConvoRow>> lock_convos(Connection& connection,
                                                      const Column& convo_ids);
/// Gives the new row's handle. A UNIQUE violation (id or group taken) is conflict.
Result<RowHandle> insert_convo(Connection& connection, const ConvoRow& row);
/// Advances the row only if it still is what the set expects. Changes no row otherwise.
Call update_convo(const ConvoRow& row, const WriteSet& expected);

Result<MemberRow> member_of(Connection& connection, const Rows& rows, int row, RowHandle convo);
using Members = std::map<core::Did, MemberRow>;
/// Those of `users` that ever were members.
Result<Members> find_members(Connection& connection, RowHandle convo, const Column& users);
/// Inserts or overwrites.
Call write_members(RowHandle convo, const std::vector<const MemberRow*>& rows);

/// Everyone who ever was a member and their devices, sorted by user (and device); parameter 1 is
/// the convo_id.
extern const char* const select_members;
extern const char* const select_devices;
/// Fails with storage_corrupt unless they are as many as the conversation says.
Result<std::vector<MemberRow>> all_members(Connection& connection, const Rows& rows,
                                           const ConvoRow& convo);
Result<DeviceRow> device_of(Connection& connection, const Rows& rows, int row, RowHandle convo);
Result<std::vector<DeviceRow>> all_devices(Connection& connection, const Rows& rows,
                                           RowHandle convo);

}  // namespace catbird::storage::postgres
