// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"
#include "storage/checksum.hpp"
#include "storage/convo_store.hpp"
#include "storage/reader.hpp"
#include "storage/rules.hpp"
#include "storage/user_writer.hpp"

#include <cstdint>
#include <optional>
#include <string>

// The rows that SQL backends keep, as their writers change and their readers read them.

namespace catbird::storage {

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

struct MemberRow {
  core::Did user;
  bool admin = false;
  core::Seq join_seq;
  core::Seq read_seq;
  Timestamp joined_at;
  std::optional<Timestamp> promoted_at;
  std::optional<core::Departure> left;
};

struct DeviceRow {
  core::Did user;
  core::DeviceId device;
};

struct RecipientRow {
  WelcomePointer pointer;
  std::int64_t welcome = 0;
  RowHandle convo = 0;
  core::Did user;
  Bytes ref;
};

struct PackageRow {
  PackageState state;
  core::Did user;
  std::uint16_t suite = 0;
  Bytes ref;
  Bytes hash;
  Timestamp published_at;
  std::optional<Timestamp> consumed_at;
  std::int64_t body_sum = 0;
};
inline PackageView package_view(const PackageRow& row, Timestamp now) {
  return {.id = row.state.id,
          .hash = row.hash,
          .device = row.state.device,
          .suite = row.suite,
          .last_resort = row.state.last_resort,
          .reserved = row.state.reserved_at(now),
          .published_at = row.published_at,
          .consumed_at = row.consumed_at};
}
/// As it is stored once it is used up or revoked: its names, and nothing else.
inline PackageRow used_up(PackageRow row, Timestamp at) {
  row.state.last_resort = false;
  row.state.reserved_by.reset();
  row.consumed_at = at;
  row.body_sum = sum_of({});
  return row;
}
/// The row of a package that is stored now, without an id; consumed from the beginning if it was
/// used elsewhere.
inline PackageRow new_package_row(const core::Caller& owner, const NewKeyPackage& package,
                                  Timestamp now, std::optional<Timestamp> consumed_at) {
  PackageRow row;
  row.state.device = owner.device;
  row.state.last_resort = package.last_resort;
  row.state.not_after = package.not_after;
  row.user = owner.user;
  row.suite = package.suite;
  row.ref = package.ref;
  row.hash = package.hash;
  row.published_at = now;
  row.consumed_at = consumed_at;
  row.body_sum = sum_of(package.bytes);
  return row;
}

}  // namespace catbird::storage
