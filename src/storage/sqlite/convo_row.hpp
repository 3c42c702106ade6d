// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"
#include "storage/convo_store.hpp"
#include "storage/rows.hpp"
#include "storage/sqlite/database.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// The rows of a conversation and its members, as the writer changes and the readers read them.

namespace catbird::storage::sqlite {

/// Nothing if there is no such conversation.
Result<std::optional<ConvoRow>> find_convo(Database& database, const core::ConvoId& convo);
Result<std::optional<ConvoRow>> find_convo(Database& database, RowHandle id);
std::int64_t convo_sum(const ConvoRow& row);
/// A UNIQUE violation (id or group taken) is conflict.
Result<void> insert_convo(Database& database, const ConvoRow& row);
/// The write statement: advances the row only if it still is what the set expects. False if not.
Result<bool> update_convo(Database& database, const ConvoRow& row, const WriteSet& expected);

Result<std::optional<MemberRow>> find_member(Database& database, RowHandle convo,
                                             const core::Did& user);
Result<void> write_member(Database& database, RowHandle convo, const MemberRow& row);
/// Everyone who ever was a member, sorted by user. Fails with storage_corrupt unless they are as
/// many as the conversation says: a roster is complete or an error.
Result<std::vector<MemberRow>> all_members(Database& database, const ConvoRow& convo);

/// Sorted by user and device.
Result<std::vector<DeviceRow>> all_devices(Database& database, RowHandle convo);

}  // namespace catbird::storage::sqlite
