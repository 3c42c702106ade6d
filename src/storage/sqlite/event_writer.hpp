// SPDX-License-Identifier: MIT
#pragma once

#include "core/events.hpp"
#include "storage/sqlite/convo_row.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/tables.hpp"

#include <cstdint>

namespace catbird::storage::sqlite {

/// Writes the events of one write set, inside the writer's savepoint; what concerns the
/// conversation's own row only changes `convo`, which the caller writes last. A violated UNIQUE
/// fails with conflict, a package that may not be consumed with key_package_not_found, an event
/// that does not fit the stored state with internal.
class EventWriter {
 public:
  EventWriter(Database& database, ConvoRow& convo, std::uint64_t& next_position)
      : db_(database), tables_(database), convo_(convo), next_position_(next_position) {}

  Result<void> write(const core::Event& event);

 private:
  Result<void> write_one(const core::ConvoCreated& event);
  Result<void> write_one(const core::MemberAdded& event);
  Result<void> write_one(const core::DeviceAdded& event);
  Result<void> write_one(const core::MemberLeft& event);
  Result<void> write_one(const core::AdminPromoted& event);
  Result<void> write_one(const core::AdminDemoted& event);
  Result<void> write_one(const core::ModeratorSet& event);
  Result<void> write_one(const core::PolicySet& event);
  Result<void> write_one(const core::RowAppended& event);
  Result<void> write_one(const core::WelcomeStored& event);
  Result<void> write_one(const core::GroupInfoStored& event);
  Result<void> write_one(const core::KeyPackagesConsumed& event);
  Result<void> write_one(const core::ReadMarked& event);
  Result<void> write_one(const core::RequestRecorded& event);
  Result<void> write_one(const core::Noted& event);

  Result<MemberRow> member(const core::Did& user);
  Result<void> add_recipient(std::int64_t welcome, const core::Recipient& recipient, Timestamp at);
  Result<void> supersede(const core::Recipient& recipient);

  Database& db_;
  SqliteTables tables_;
  ConvoRow& convo_;
  std::uint64_t& next_position_;
};

/// Where the log goes on, as the open transaction has left it.
Result<std::uint64_t> next_log_position(Database& database);

/// MAX(id) + 1 of the one-column query `sql`: ids are part of what a row's checksum covers, so they
/// are chosen before the insert. Only the writer's transaction may ask.
Result<std::int64_t> next_id(Database& database, const char* sql);

}  // namespace catbird::storage::sqlite
