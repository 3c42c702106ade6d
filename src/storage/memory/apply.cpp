// SPDX-License-Identifier: MIT
// The events of a write set, on the tables in memory.
#include "base/mutant.hpp"
#include "core/key_window.hpp"
#include "storage/memory/data.hpp"
#include "storage/memory/tables.hpp"
#include "storage/tables/conversations.hpp"

#include <algorithm>

namespace catbird::storage::memory {

namespace {

class Applier {
 public:
  Applier(MemoryDisk::Data& data, const WriteSet& set, ConvoRow& convo)
      : data_(data), tables_(data), journal_(data.journal), set_(set), convo_(convo) {}

  Result<void> apply_one(const core::ConvoCreated&) { return {}; }  // made with the row itself

  Result<void> apply_one(const core::MemberAdded& event) {
    auto it = convo_.members.find(event.user);
    if (it != convo_.members.end() && !it->second.left) return broken("member is active already");
    MemberRow row;
    if (it != convo_.members.end()) row = it->second;
    row.admin = event.admin;
    row.left.reset();
    row.join_seq = event.join_seq;
    row.read_seq = std::max(row.read_seq, event.join_seq);
    row.joined_at = event.at;
    row.promoted_at.reset();
    if (it == convo_.members.end()) {
      journal_.insert(convo_.members, event.user, std::move(row));
      return {};
    }
    journal_.save(it->second);
    it->second = std::move(row);
    return {};
  }

  Result<void> apply_one(const core::DeviceAdded& event) {
    auto* member = change(event.user);
    if (member == nullptr) return broken("device of a stranger");
    member->devices.insert(event.device);
    return {};
  }

  Result<void> apply_one(const core::MemberLeft& event) {
    auto* member = change(event.user);
    if (member == nullptr || member->left) return broken("departure of nobody");
    member->left = core::Departure{event.left_seq, event.epoch, event.at};
    member->admin = false;
    member->promoted_at.reset();
    member->devices.clear();
    return {};
  }

  Result<void> apply_one(const core::AdminPromoted& event) {
    auto* member = change(event.user);
    if (member == nullptr) return broken("promotion of a stranger");
    member->admin = true;
    member->promoted_at = event.at;
    return {};
  }

  Result<void> apply_one(const core::AdminDemoted& event) {
    auto* member = change(event.user);
    if (member == nullptr) return broken("demotion of a stranger");
    member->admin = false;
    member->promoted_at.reset();
    return {};
  }

  Result<void> apply_one(const core::ModeratorSet& event) {
    return set_moderator(tables_, set_.convo, event);
  }

  Result<void> apply_one(const core::PolicySet& event) {
    return put(tables_, record_of(set_.convo, event));
  }

  Result<void> apply_one(const core::Noted& event) {
    return append_notice(data_, set_.convo, event);
  }

  Result<void> apply_one(const core::RowAppended& event) {
    if (convo_.by_id.contains(event.id)) return fail(Errc::conflict, "this message id is taken");
    journal_.insert(convo_.by_id, event.id, event.seq);
    auto& log = data_.log;
    journal_.append(log, {set_.convo, event.seq});
    journal_.append(convo_.rows, {log.size(), event});
    if (event.kind != core::Kind::commit) {
      journal_.append(convo_.keys, core::KeyWindow::message_key(event.id));
    }
    if (event.kind == core::Kind::app) convo_.head.last_message_at = event.at;
    return {};
  }

  Result<void> apply_one(const core::WelcomeStored& event) {
    for (const auto& recipient : event.welcome.recipients) {
      for (auto& row : convo_.recipients) {
        if (!row.pointer.pending || row.user != recipient.user ||
            row.pointer.device != recipient.device || mutant("welcome_not_superseded")) {
          continue;
        }
        journal_.save(row.pointer.pending);
        row.pointer.pending = false;
      }
      journal_.save(data_.next_recipient);
      journal_.append(convo_.recipients,
                      {{data_.next_recipient++, recipient.device, true, event.at},
                       recipient.user,
                       event.welcome.bytes,
                       event.epoch});
    }
    return {};
  }

  Result<void> apply_one(const core::GroupInfoStored& event) {
    convo_.head.group_info = GroupInfoView{event.bytes, event.epoch, event.at};
    return {};
  }

  Result<void> apply_one(const core::KeyPackagesConsumed& event) {
    for (const auto& ref : event.refs) {
      auto id = data_.package_ids.find(ref);
      if (id == data_.package_ids.end()) return fail(Errc::key_package_not_found);
      auto& package = data_.packages.at(id->second);
      if (package.package.ref != ref || package.consumed_at || package.gone ||
          !may_consume(package.state, event.user, event.at)) {
        return fail(Errc::key_package_not_found);
      }
      if (package.state.last_resort) continue;
      journal_.save(package);
      package.consumed_at = event.at;
      package.state.reserved_by.reset();
    }
    return {};
  }

  Result<void> apply_one(const core::ReadMarked& event) {
    auto* member = change(event.user);
    if (member == nullptr) return broken("read mark of a stranger");
    member->read_seq =
        mutant("mark_moves_back") ? event.seq : std::max(member->read_seq, event.seq);
    return {};
  }

  Result<void> apply_one(const core::RequestRecorded& event) {
    auto name = core::KeyWindow::request_key(event.user, event.key);
    const auto known = data_.requests.find(name);
    if (known != data_.requests.end() && !known->second.gone) {
      return fail(Errc::conflict, "this request key is taken");
    }
    journal_.insert(data_.requests, name, {event.key.payload, event.outcome});
    journal_.append(convo_.keys, std::move(name));
    return {};
  }

 private:
  static std::unexpected<Error> broken(const char* what) { return fail(Errc::internal, what); }

  MemberRow* change(const core::Did& user) {
    auto it = convo_.members.find(user);
    if (it == convo_.members.end()) return nullptr;
    journal_.save(it->second);
    return &it->second;
  }

  MemoryDisk::Data& data_;
  MemoryTables tables_;
  Journal& journal_;
  const WriteSet& set_;
  ConvoRow& convo_;
};

}  // namespace

Result<void> append_notice(MemoryDisk::Data& data, const core::ConvoId& convo,
                           const core::Noted& noted) {
  data.journal.append(data.log, {convo, no_row});
  MemoryTables tables(data);
  auto added = insert(tables, record_of(data.log.size(), convo, noted));
  if (!added) return std::unexpected(added.error());
  return {};
}

Result<void> apply(MemoryDisk::Data& data, const WriteSet& set, ConvoRow& convo) {
  Applier applier(data, set, convo);
  for (const auto& event : set.events) {
    auto applied = std::visit([&](const auto& one) { return applier.apply_one(one); }, event);
    if (!applied) return applied;
  }
  return {};
}

}  // namespace catbird::storage::memory
