// SPDX-License-Identifier: MIT
#pragma once

#include "core/events.hpp"
#include "storage/convo_store.hpp"
#include "storage/postgres/convo_row.hpp"
#include "storage/postgres/package_row.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace catbird::storage::postgres {

/// Writes one write set of any kind inside the open transaction, whose conversation row is locked
/// and whose log lock is held. Reads what the events touch, applies them in memory, then sends
/// everything in one round trip: three round trips a set, whatever its size, and one more if it has
/// notices, whose checksums need their positions. What it refuses before
/// sending has changed nothing. A package that may not be consumed fails with
/// key_package_not_found, an event that does not fit the stored state with internal, a violated
/// UNIQUE with conflict (and the transaction is over).
class EventWriter {
 public:
  /// `row` is the conversation as stored; for a creation, only its id is to be set by us.
  EventWriter(Connection& connection, const WriteSet& set, ConvoRow& row)
      : db_(connection), set_(set), row_(row) {}

  /// Gives the position of its first row or notice, 0 if it has none.
  Result<std::uint64_t> write();
  /// Whether anything was sent: a refusal after that has broken the transaction.
  bool sent() const { return sent_; }

 private:
  Result<void> read_what_is_touched();
  Result<void> read_packages(const std::vector<Bytes>& refs);
  Result<void> apply(const core::ConvoCreated&) { return {}; }
  Result<void> apply(const core::MemberAdded& event);
  Result<void> apply(const core::DeviceAdded& event);
  Result<void> apply(const core::MemberLeft& event);
  Result<void> apply(const core::AdminPromoted& event);
  Result<void> apply(const core::AdminDemoted& event);
  Result<void> apply(const core::ModeratorSet& event);
  Result<void> apply(const core::PolicySet& event);
  Result<void> apply(const core::RowAppended& event);
  Result<void> apply(const core::WelcomeStored& event);
  Result<void> apply(const core::GroupInfoStored& event);
  Result<void> apply(const core::KeyPackagesConsumed& event);
  Result<void> apply(const core::ReadMarked& event);
  Result<void> apply(const core::RequestRecorded& event);
  Result<void> apply(const core::Noted& event);
  Result<MemberRow*> member(const core::Did& user);

  Result<std::uint64_t> send();
  void add_members(std::vector<Call>& calls) const;
  void add_devices(std::vector<Call>& calls) const;
  void add_messages(std::vector<Call>& calls) const;
  void add_requests(std::vector<Call>& calls) const;
  Result<void> send_welcomes();
  void add_rest(std::vector<Call>& calls);
  Result<void> send_notices(const Rows& positions);

  Connection& db_;
  const WriteSet& set_;
  ConvoRow& row_;

  Members members_;
  std::set<core::Did> changed_members_;
  std::set<core::Did> devices_dropped_;
  std::map<std::pair<core::Did, core::DeviceId>, const core::DeviceAdded*> devices_;
  std::vector<const core::RowAppended*> messages_;
  std::vector<std::pair<core::Seq, const core::RequestRecorded*>> requests_;
  std::vector<const core::WelcomeStored*> welcomes_;
  const core::GroupInfoStored* group_info_ = nullptr;
  const core::PolicySet* policy_ = nullptr;
  std::vector<const core::ModeratorSet*> moderators_;
  std::vector<const core::Noted*> notices_;
  std::map<Bytes, PackageRow> packages_;
  std::vector<Bytes> consumed_;
  bool sent_ = false;
};

/// The columns of messages and of request records, shared with the batch statement.
struct MessageColumns {
  Column seq{Column::Type::int8}, epoch{Column::Type::int8}, base{Column::Type::int8};
  Column at{Column::Type::int8}, body_sum{Column::Type::int8}, sum{Column::Type::int8};
  Column kind{Column::Type::int8}, id{Column::Type::text}, tag{Column::Type::bytea};
  Column committer{Column::Type::text}, body{Column::Type::bytea};
  void add(RowHandle convo, const core::RowAppended& row);
  void add_to(Params& params) const;
};
struct RequestColumns {
  Column after{Column::Type::int8}, seq{Column::Type::int8}, epoch{Column::Type::int8};
  Column at{Column::Type::int8}, sum{Column::Type::int8}, user{Column::Type::text};
  Column method{Column::Type::text}, key{Column::Type::text}, payload{Column::Type::bytea};
  Column detail{Column::Type::text};
  void add(RowHandle convo, core::Seq after_seq, const core::RequestRecorded& record);
  void add_to(Params& params) const;
};

}  // namespace catbird::storage::postgres
