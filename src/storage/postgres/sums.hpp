// SPDX-License-Identifier: MIT
#pragma once

#include "core/events.hpp"
#include "storage/rows.hpp"
#include "storage/value.hpp"

#include <cstdint>
#include <string_view>

// The checksums of the tables' rows (migrations/0001_initial.sql says what each is for).

namespace catbird::storage::postgres {

/// What every write of a conversation changes. It names the conversation by its id, so that a
/// write through a wrong row handle is found as well.
struct Head {
  core::Epoch epoch;
  core::Seq last_seq;
  core::Version version;
  core::Fence fence;
};
std::int64_t head_sum(const core::ConvoId& convo, const Head& head);
inline Head head_of(const ConvoRow& row) {
  return {row.epoch, row.last_seq, row.version, row.fence};
}
std::int64_t convo_sum(const ConvoRow& row);

std::int64_t read_sum(RowHandle convo, const core::Did& user, core::Seq read_seq);
std::int64_t member_sum(RowHandle convo, const MemberRow& row);
std::int64_t device_sum(RowHandle convo, const core::DeviceAdded& event);
std::int64_t message_sum(RowHandle convo, const core::RowAppended& row, std::int64_t body_sum);
std::int64_t request_sum(RowHandle convo, core::Seq after, const core::RequestRecorded& record);
/// Of a welcome or group_info row.
std::int64_t blob_sum(std::string_view table, RowHandle convo, core::Epoch epoch, Timestamp at,
                      std::int64_t body_sum);
std::int64_t recipient_sum(const RecipientRow& row, std::string_view state);
std::int64_t package_sum(const PackageRow& row);
/// available, reserved or consumed.
std::string_view state_of(const PackageRow& row);

}  // namespace catbird::storage::postgres
