// SPDX-License-Identifier: MIT
// Which requests the model lets through, which refusals it understands, and key packages.
#include "sim/model.hpp"

#include <algorithm>

namespace catbird::sim {

namespace {

constexpr std::int64_t reservation_ms = 5LL * 60 * 1000;

bool holds(const std::vector<core::Did>& users, const core::Did& user) {
  return std::ranges::find(users, user) != users.end();
}

std::optional<std::uint64_t> base_of(const core::Command& command) {
  if (const auto* send = std::get_if<core::SendMessage>(&command.what)) return send->epoch.value;
  const auto* parts = parts_of(command);
  if (parts != nullptr && parts->commit) return parts->commit->base.value;
  return std::nullopt;
}

// Present users who are not there for a new device.
bool adds_present(const core::AddMembers& add, const ConvoState& state) {
  return std::ranges::any_of(add.users, [&](const core::Did& user) {
    if (!state.active(user_of(user))) return false;
    const auto& welcome = add.parts.welcome;
    return !welcome || !add.parts.commit ||
           std::ranges::none_of(welcome->recipients, [&](const core::Recipient& recipient) {
             return recipient.user == user && !recipient.key_package_ref.empty();
           });
  });
}

// Someone who may not, by what the admins allow.
bool adds_unasked(const Op& op, const core::AddMembers& add, const ConvoState& state) {
  return !state.admin(op.user) && !state.policy.members_add() &&
         std::ranges::any_of(add.users,
                             [&](const core::Did& user) { return !state.active(user_of(user)); });
}

bool adds_too_many(const core::AddMembers& add, const ConvoState& state) {
  std::set<std::size_t> added;
  for (const auto& user : add.users) {
    if (!state.active(user_of(user))) added.insert(user_of(user));
  }
  return !added.empty() && state.count() + added.size() > state.policy.members_max;
}

// Plain members may remove one another where the policy says so, and never an admin.
bool may_remove(const Op& op, const core::RemoveMembers& remove, const ConvoState& state) {
  if (state.admin(op.user)) return true;
  return state.active(op.user) && state.policy.member_remove &&
         std::ranges::none_of(remove.users,
                              [&](const core::Did& user) { return state.admin(user_of(user)); });
}

bool welcomes_stranger(const Op& op, const ConvoState& state) {
  const auto* parts = parts_of(op.command);
  if (parts == nullptr || !parts->welcome) return false;
  const auto* add = std::get_if<core::AddMembers>(&op.command.what);
  const auto* create = std::get_if<core::CreateConvo>(&op.command.what);
  return std::ranges::any_of(parts->welcome->recipients, [&](const core::Recipient& recipient) {
    if (state.active(user_of(recipient.user))) return false;
    if (create != nullptr) return !holds(create->initial_members, recipient.user);
    return add == nullptr || !holds(add->users, recipient.user);
  });
}

}  // namespace

std::optional<std::string> Model::forbids(const Op& op, const ConvoState& state) const {
  if (op.forbidden) return "P1";
  if (std::holds_alternative<core::CreateConvo>(op.command.what)) {
    if (state.exists) return "O1";
    return std::nullopt;
  }
  if (governs(op.command)) {
    if (objections(op, state).empty()) return std::nullopt;
    return "A3: who may not, or what cannot be";
  }
  if (!state.active(op.user)) return "A3: a stranger";
  if (const auto base = base_of(op.command); base && *base != state.epoch) {
    return parts_of(op.command) != nullptr ? "O1: a commit on another epoch"
                                           : "O4: a message of another epoch";
  }
  if (const auto* update = std::get_if<core::UpdateGroupInfo>(&op.command.what)) {
    if (update->group_info.epoch.value != state.epoch) return "A4: a GroupInfo of another epoch";
  }
  if (const auto* remove = std::get_if<core::RemoveMembers>(&op.command.what)) {
    if (!may_remove(op, *remove, state)) return "A3: no admin";
    if (holds(remove->users, user_did(op.user))) return "A3: removed itself";
  }
  if (const auto* leave = std::get_if<core::LeaveConvo>(&op.command.what)) {
    const bool self = user_of(leave->target) == op.user;
    if (!self && !state.admin(op.user) && state.creator != op.user) return "A3: no admin";
  }
  const auto* add = std::get_if<core::AddMembers>(&op.command.what);
  if (add != nullptr && adds_present(*add, state)) return "A1: a member added twice";
  if (add != nullptr && adds_unasked(op, *add, state)) return "A3: only admins add here";
  if (add != nullptr && adds_too_many(*add, state)) return "A3: more than the policy's maximum";
  if (welcomes_stranger(op, state)) return "K6: a Welcome for someone who is not being added";
  return std::nullopt;
}

bool Model::justifies(Errc code, const Op& op, const ConvoState& state, std::int64_t now) const {
  const auto* remove = std::get_if<core::RemoveMembers>(&op.command.what);
  const auto* leave = std::get_if<core::LeaveConvo>(&op.command.what);
  const auto* add = std::get_if<core::AddMembers>(&op.command.what);
  if (governs(op.command)) {
    const auto reasons = objections(op, state);
    return std::ranges::find(reasons, code) != reasons.end();
  }
  switch (code) {
    case Errc::convo_exists:
      return std::holds_alternative<core::CreateConvo>(op.command.what) && state.exists;
    case Errc::unauthorized:
      return !state.active(op.user);
    case Errc::not_member:
      if (!state.active(op.user)) return true;
      if (leave != nullptr) return state.member(user_of(leave->target)) == nullptr;
      return remove != nullptr && std::ranges::any_of(remove->users, [&](const core::Did& user) {
               return state.member(user_of(user)) == nullptr;
             });
    case Errc::not_admin:
      if (!state.active(op.user) || state.admin(op.user)) return false;
      if (add != nullptr) return adds_unasked(op, *add, state);
      if (remove != nullptr) return !may_remove(op, *remove, state);
      return leave != nullptr && state.creator != op.user;
    case Errc::too_many_members:
      return add != nullptr && adds_too_many(*add, state);
    case Errc::cannot_remove_self:
      return remove != nullptr && holds(remove->users, user_did(op.user));
    case Errc::already_member:
      return add != nullptr && adds_present(*add, state);
    case Errc::epoch_mismatch: {
      if (const auto* update = std::get_if<core::UpdateGroupInfo>(&op.command.what)) {
        return update->group_info.epoch.value < state.epoch;
      }
      const auto base = base_of(op.command);
      return base && *base != state.epoch;
    }
    case Errc::conflict:
      return op.forbidden;
    case Errc::invalid_group_info: {  // of an epoch the node in charge has not met yet
      const auto* update = std::get_if<core::UpdateGroupInfo>(&op.command.what);
      return update != nullptr && update->group_info.epoch.value > state.epoch;
    }
    case Errc::invalid_request:
      return welcomes_stranger(op, state);
    case Errc::key_package_not_found: {
      const auto* parts = parts_of(op.command);
      return parts != nullptr && std::ranges::any_of(parts->key_packages, [&](const auto& use) {
               auto it = packages_.find(text_of(use.ref));
               return it == packages_.end() || !it->second.usable_by(op.user, now);
             });
    }
    default:
      return false;
  }
}

void Model::published(const core::Caller& owner, const storage::NewKeyPackage& package,
                      storage::PublishResult result) {
  const auto ref = text_of(package.ref);
  const bool known = packages_.contains(ref);
  if (result == storage::PublishResult::stored && known) {
    violate("K1: key package " + ref + " was taken a second time");
  }
  if (result == storage::PublishResult::duplicate && !known) {
    violate("K3: key package " + ref + " is called known and is not");
  }
  if (result != storage::PublishResult::stored) return;
  packages_[ref] = {.owner = user_of(owner.user),
                    .device = owner.device.value,
                    .suite = package.suite,
                    .last_resort = package.last_resort,
                    .not_after = package.not_after.value,
                    .handed_to = {}};
}

void Model::reserved(const storage::ReserveQuery& query,
                     const std::vector<storage::ReservedKeyPackage>& given) {
  const auto caller = user_of(query.caller);
  const auto target = user_of(query.target);
  const auto now = query.now.value;
  std::set<std::string> devices;
  for (const auto& one : given) {
    const auto ref = text_of(one.ref);
    auto it = packages_.find(ref);
    if (it == packages_.end()) {
      violate("K3: key package " + ref + " was handed out and never published");
      continue;
    }
    auto& package = it->second;
    if (package.owner != target || package.suite != query.suite || package.not_after <= now ||
        (query.device && package.device != query.device->value)) {
      violate("K4: key package " + ref + " must not be handed out for this request");
    }
    if (!devices.insert(package.device).second) violate("K1: two packages of one device at once");
    if (package.consumed) violate("K1: key package " + ref + " was used and is handed out again");
    const bool reserved = package.reserved_by != nobody && package.reserved_until > now;
    if (reserved && package.reserved_by != caller) {
      violate("K1: key package " + ref + " is reserved to someone else");
    }
    // Its caller's live reservation comes first (K2), a last-resort package last (K1).
    for (const auto& [other_ref, other] : packages_) {
      if (other_ref == ref || other.owner != target || other.device != package.device ||
          other.suite != query.suite || other.consumed || other.last_resort ||
          other.not_after <= now) {
        continue;
      }
      const bool live = other.reserved_by != nobody && other.reserved_until > now;
      if (live && other.reserved_by == caller && !(reserved && package.reserved_by == caller)) {
        violate("K2: " + ref + " was handed out while " + other_ref + " is reserved to the caller");
      }
      if (!live && package.last_resort) {
        violate("K1: the last-resort package was handed out while " + other_ref + " was left");
      }
    }
    package.handed_to.insert(caller);
    if (package.last_resort) continue;
    package.reserved_by = caller;
    package.reserved_until = std::min(now + reservation_ms, package.not_after);
  }
}

}  // namespace catbird::sim
