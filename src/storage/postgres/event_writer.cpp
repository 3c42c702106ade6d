// SPDX-License-Identifier: MIT
// From events to rows, in memory; event_sender.cpp sends them.
#include "storage/postgres/event_writer.hpp"

#include <algorithm>

namespace catbird::storage::postgres {

namespace {

std::unexpected<Error> broken(const char* what) { return fail(Errc::internal, what); }

/// The users whose rows an event reads or changes.
struct Touched {
  std::set<core::Did>& users;
  std::vector<Bytes>& refs;
  void operator()(const core::MemberAdded& event) const { users.insert(event.user); }
  void operator()(const core::DeviceAdded& event) const { users.insert(event.user); }
  void operator()(const core::MemberLeft& event) const { users.insert(event.user); }
  void operator()(const core::AdminPromoted& event) const { users.insert(event.user); }
  void operator()(const core::AdminDemoted& event) const { users.insert(event.user); }
  void operator()(const core::ReadMarked& event) const { users.insert(event.user); }
  void operator()(const core::KeyPackagesConsumed& event) const {
    refs.insert(refs.end(), event.refs.begin(), event.refs.end());
  }
  void operator()(const auto&) const {}
};

}  // namespace

Result<std::uint64_t> EventWriter::write() {
  if (auto done = read_what_is_touched(); !done) return std::unexpected(done.error());
  for (const auto& event : set_.events) {
    auto done = std::visit([this](const auto& one) { return apply(one); }, event);
    if (!done) return std::unexpected(done.error());
  }
  row_.last_seq = set_.new_last_seq;
  row_.epoch = set_.new_epoch;
  row_.version = core::Version(set_.version.value + 1);
  row_.fence = set_.fence;
  return send();
}

Result<void> EventWriter::read_what_is_touched() {
  std::set<core::Did> users;
  std::vector<Bytes> refs;
  for (const auto& event : set_.events) std::visit(Touched{users, refs}, event);
  if (!refs.empty()) {
    if (auto done = read_packages(refs); !done) return done;
  }
  if (users.empty() || set_.creates) return {};
  Column names(Column::Type::text);
  for (const auto& user : users) names.add(user);
  auto members = find_members(db_, row_.id, names);
  if (!members) return std::unexpected(members.error());
  members_ = std::move(*members);
  return {};
}

Result<void> EventWriter::read_packages(const std::vector<Bytes>& refs) {
  Column names(Column::Type::bytea);
  for (const auto& ref : refs) names.add(ref);
  auto packages = packages_by(db_, PackageName::ref, names);
  if (!packages) return std::unexpected(packages.error());
  for (auto& package : *packages) {
    auto ref = package.ref;
    packages_.emplace(std::move(ref), std::move(package));
  }
  return {};
}

Result<MemberRow*> EventWriter::member(const core::Did& user) {
  const auto found = members_.find(user);
  if (found == members_.end()) return broken("no such member");
  return &found->second;
}

Result<void> EventWriter::apply(const core::MemberAdded& event) {
  auto found = members_.find(event.user);
  if (found != members_.end() && !found->second.left) return broken("member is active already");
  MemberRow row;
  row.user = event.user;
  row.admin = event.admin;
  row.join_seq = event.join_seq;
  row.read_seq = event.join_seq;
  row.joined_at = event.at;
  if (found == members_.end()) {
    ++row_.members;
  } else {
    row.read_seq = std::max(found->second.read_seq, event.join_seq);
  }
  members_.insert_or_assign(event.user, std::move(row));
  changed_members_.insert(event.user);
  return {};
}

Result<void> EventWriter::apply(const core::DeviceAdded& event) {
  if (auto known = member(event.user); !known) return std::unexpected(known.error());
  devices_.try_emplace({event.user, event.device}, &event);
  return {};
}

Result<void> EventWriter::apply(const core::MemberLeft& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  if ((*row)->left) return broken("departure of nobody");
  (*row)->left = core::Departure{event.left_seq, event.epoch, event.at};
  (*row)->admin = false;
  (*row)->promoted_at.reset();
  std::erase_if(devices_, [&](const auto& device) { return device.first.first == event.user; });
  devices_dropped_.insert(event.user);
  changed_members_.insert(event.user);
  return {};
}

Result<void> EventWriter::apply(const core::AdminPromoted& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  (*row)->admin = true;
  (*row)->promoted_at = event.at;
  changed_members_.insert(event.user);
  return {};
}

Result<void> EventWriter::apply(const core::AdminDemoted& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  (*row)->admin = false;
  (*row)->promoted_at.reset();
  changed_members_.insert(event.user);
  return {};
}

Result<void> EventWriter::apply(const core::ModeratorSet& event) {
  moderators_.push_back(&event);
  return {};
}

Result<void> EventWriter::apply(const core::PolicySet& event) {
  policy_ = &event;
  return {};
}

Result<void> EventWriter::apply(const core::Noted& event) {
  notices_.push_back(&event);
  return {};
}

Result<void> EventWriter::apply(const core::RowAppended& event) {
  messages_.push_back(&event);
  row_.last_seq = event.seq;
  if (event.kind == core::Kind::app) row_.last_message_at = event.at;
  return {};
}

Result<void> EventWriter::apply(const core::WelcomeStored& event) {
  welcomes_.push_back(&event);
  return {};
}

Result<void> EventWriter::apply(const core::GroupInfoStored& event) {
  row_.group_info_epoch = event.epoch;
  group_info_ = &event;
  return {};
}

Result<void> EventWriter::apply(const core::KeyPackagesConsumed& event) {
  for (const auto& ref : event.refs) {
    const auto found = packages_.find(ref);
    if (found == packages_.end()) return fail(Errc::key_package_not_found);
    auto& package = found->second;
    if (package.consumed_at || !may_consume(package.state, event.user, event.at)) {
      return fail(Errc::key_package_not_found);
    }
    if (package.state.last_resort) continue;
    package.consumed_at = event.at;
    consumed_.push_back(ref);
  }
  return {};
}

Result<void> EventWriter::apply(const core::ReadMarked& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  if (event.seq <= (*row)->read_seq) return {};
  (*row)->read_seq = event.seq;
  changed_members_.insert(event.user);
  return {};
}

Result<void> EventWriter::apply(const core::RequestRecorded& event) {
  requests_.emplace_back(row_.last_seq, &event);
  return {};
}

}  // namespace catbird::storage::postgres
