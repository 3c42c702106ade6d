// SPDX-License-Identifier: MIT
// How a group changes: creation, adds, removals, departures and external commits. All of them end
// in change_group(), the one home of the epoch rule (RFC 9420 §14, quality O1).
#include "base/mutant.hpp"
#include "core/conversation.hpp"
#include "core/limits.hpp"
#include "core/record.hpp"
#include "mls/verify.hpp"

#include <algorithm>

namespace catbird::core {

/// A change whose rights are checked, not yet its parts.
struct Conversation::Change {
  const Command* command = nullptr;
  const GroupParts* parts = nullptr;
  std::vector<Did> adds;                  // sorted, unique, not active now
  std::vector<Did> removes;               // sorted, unique, active now
  std::optional<DeviceId> caller_device;  // external commit: the leaf that came in
  Timestamp now;
};

namespace {

std::vector<Did> sorted_unique(std::vector<Did> users) {
  std::ranges::sort(users);
  const auto rest = std::ranges::unique(users);
  users.erase(rest.begin(), rest.end());
  return users;
}

bool holds(const std::vector<Did>& sorted, std::string_view user) {
  return std::ranges::binary_search(sorted, user, {},
                                    [](const Did& did) { return std::string_view(did.value); });
}

// A commit has no client-chosen id. Its hash is one, and makes a byte-identical handshake replay a
// constraint violation (RFC 9750 §8.4.2, duties A34).
MsgId commit_id(const Blob& bytes) {
  const auto hash = mls::sha256(*bytes);
  return MsgId(to_hex(ByteView(hash).first(16)));
}

}  // namespace

Result<Decision> Conversation::decide_create(const Command& command, const CreateConvo& create,
                                             Timestamp now) const {
  if (state_.exists) return fail(Errc::convo_exists);
  auto members = create.initial_members;
  members.push_back(command.caller.user);
  members = sorted_unique(std::move(members));
  if (members.size() > members_max) return fail(Errc::too_many_members);

  Decision decision;
  decision.outcome = {.seq = Seq(0),
                      .epoch = create.epoch,
                      .at = now,
                      .detail = encode_creation({create.name, members})};
  decision.events.emplace_back(ConvoCreated{.group_id = create.group_id,
                                            .creator = command.caller.user,
                                            .suite = create.suite,
                                            .name = create.name,
                                            .epoch = create.epoch,
                                            .at = now});
  for (const auto& user : members) {
    decision.events.emplace_back(MemberAdded{user, user == command.caller.user, Seq(0), now});
  }
  for (const auto& user : members) {
    if (user == command.caller.user) continue;
    auto joined = noted(NoticeKind::joined, user, command.caller.user, now);
    joined.epoch = create.epoch;
    decision.events.emplace_back(std::move(joined));
  }
  if (!command.caller.device.value.empty()) {
    decision.events.emplace_back(DeviceAdded{command.caller.user, command.caller.device, Seq(0)});
  }

  // The rest is checked on the conversation as it will be.
  Conversation created;
  for (const auto& event : decision.events) created.apply(event);
  Change change;
  change.command = &command;
  change.parts = &create.parts;
  change.now = now;
  auto rest = created.change_group(change);
  if (!rest) return std::unexpected(rest.error());
  for (auto& event : rest->events) {
    if (auto* recorded = std::get_if<RequestRecorded>(&event)) recorded->outcome = decision.outcome;
    decision.events.push_back(std::move(event));
  }
  return decision;
}

Result<Decision> Conversation::decide_add(const Command& command, const AddMembers& add,
                                          Timestamp now) const {
  const auto* caller = find_active(command.caller.user);
  if (caller == nullptr) return fail(Errc::not_member);
  if (add.users.empty() && !add.parts.commit) {
    return fail(Errc::invalid_request, "didList is empty and there is no commit");
  }
  Change change;
  change.command = &command;
  change.parts = &add.parts;
  change.now = now;
  for (const auto& user : sorted_unique(add.users)) {
    if (find_active(user) == nullptr) {
      if (mutant("readd_skipped") && find(user) != nullptr) continue;
      change.adds.push_back(user);
      continue;
    }
    // A new device of a present user is an Add in MLS and no roster change here; it is known by the
    // key package the Welcome names.
    const auto* welcome = add.parts.welcome ? &*add.parts.welcome : nullptr;
    const bool device_add = add.parts.commit && welcome != nullptr &&
                            std::ranges::any_of(welcome->recipients, [&](const Recipient& r) {
                              return r.user == user && !r.key_package_ref.empty();
                            });
    if (!device_add) return fail(Errc::already_member);
  }
  const auto& policy = state_.policy;
  if (!change.adds.empty() && !caller->admin && !policy.members_add() &&
      !mutant("policy_ignored")) {
    return fail(Errc::not_admin, "the policy lets only admins add members");
  }
  if (active_count() + change.adds.size() > policy.max_members && !change.adds.empty()) {
    return fail(Errc::too_many_members);
  }
  return change_group(change);
}

Result<Decision> Conversation::decide_remove(const Command& command, const RemoveMembers& remove,
                                             Timestamp now) const {
  const auto* caller = find_active(command.caller.user);
  if (caller == nullptr) return fail(Errc::not_member);
  const bool may_remove = caller->admin || state_.policy.allow_member_remove;
  if (!may_remove && !mutant("anyone_removes")) return fail(Errc::not_admin);
  if (remove.users.empty()) return fail(Errc::invalid_request, "no target");
  Change change;
  change.command = &command;
  change.parts = &remove.parts;
  change.now = now;
  for (const auto& user : sorted_unique(remove.users)) {
    if (user == command.caller.user) return fail(Errc::cannot_remove_self);
    const auto* target = find(user);
    if (target == nullptr) return fail(Errc::not_member, "the target is not a member");
    if (target->admin && !caller->admin && !mutant("anyone_removes")) {
      return fail(Errc::not_admin, "only an admin may remove an admin");
    }
    // Who left already is only taken out of the MLS group by this commit.
    if (target->active()) change.removes.push_back(user);
  }
  return change_group(change);
}

Result<Decision> Conversation::decide_leave(const Command& command, const LeaveConvo& leave,
                                            Timestamp now) const {
  const auto* target = find(leave.target);
  const bool self = leave.target == command.caller.user;
  if (self && target != nullptr && !target->active()) {
    // DECISIONS 2: a second leave gets the first answer until re-added.
    const auto& left = *state_.members.left(*target);
    return Decision{{}, {left.seq, left.epoch, left.at, {}}};
  }
  const auto* caller = find_active(command.caller.user);
  if (caller == nullptr) return fail(Errc::not_member);
  if (!self && !caller->admin && command.caller.user != state_.creator) {
    return fail(Errc::not_admin);
  }
  if (target == nullptr) return fail(Errc::not_member, "the target is not a member");
  Change change;
  change.command = &command;
  change.parts = &leave.parts;
  change.now = now;
  if (target->active()) change.removes.push_back(leave.target);
  return change_group(change);
}

Result<Decision> Conversation::decide_external(const Command& command,
                                               const ExternalCommit& external,
                                               Timestamp now) const {
  // DECISIONS 4: only who is on the roster may come back in by itself.
  if (find_active(command.caller.user) == nullptr) return fail(Errc::unauthorized);
  Change change;
  change.command = &command;
  change.parts = &external.parts;
  change.caller_device = command.caller.device;
  change.now = now;
  return change_group(change);
}

Result<void> Conversation::check_parts(const GroupParts& parts) const {
  if (parts.commit) {
    if (parts.commit->group_id != state_.group_id) {
      return fail(Errc::invalid_commit, "the commit belongs to another group");
    }
    if (parts.commit->base != state_.epoch && !mutant("epoch_not_compared")) {
      return stale(parts.commit->base);
    }
  }
  const Epoch next(state_.epoch.value + (parts.commit ? 1 : 0));
  if (parts.group_info &&
      (parts.group_info->group_id != state_.group_id || parts.group_info->epoch != next)) {
    return fail(Errc::invalid_group_info, "the GroupInfo is not of the epoch the commit leads to");
  }
  for (const auto& use : parts.key_packages) {
    if (!use.reserved_to_caller) return fail(Errc::key_package_not_found);
  }
  return {};
}

Result<void> Conversation::check_welcome(const Change& change) const {
  if (!change.parts->welcome) return {};
  for (const auto& recipient : change.parts->welcome->recipients) {
    const bool stays =
        find_active(recipient.user) != nullptr && !holds(change.removes, recipient.user.value);
    if (!stays && !holds(change.adds, recipient.user.value)) {
      return fail(Errc::invalid_request, "the Welcome is for someone who is not being added");
    }
  }
  return {};
}

std::optional<Did> Conversation::heir(const std::vector<Did>& leaving) const {
  if (mutant("last_admin_vanishes")) return std::nullopt;
  const Roster::Entry* oldest = nullptr;
  for (const auto& member : state_.members.entries()) {
    if (!member.active() || holds(leaving, state_.members.name(member))) continue;
    if (member.admin) return std::nullopt;
    if (oldest == nullptr || member.join_seq < oldest->join_seq) oldest = &member;
  }
  if (oldest == nullptr) return std::nullopt;
  return Did(std::string(state_.members.name(*oldest)));
}

/// `decision` has its outcome and, if there is a commit, its row.
void Conversation::change_roster(const Change& change, Decision& decision) const {
  const auto& command = *change.command;
  const auto epoch = decision.outcome.epoch;
  const auto at = decision.outcome.at;
  const auto seq = std::max(decision.outcome.seq, state_.last_seq);
  auto& events = decision.events;
  // What the members hear carries the numbers after the change.
  const auto note = [&](NoticeKind kind, const Did& user) {
    auto notice = noted(kind, user, command.caller.user, change.now);
    notice.seq = seq;
    notice.epoch = epoch;
    events.emplace_back(std::move(notice));
  };
  for (const auto& user : change.adds) {
    events.emplace_back(MemberAdded{user, false, seq, change.now});
    note(NoticeKind::joined, user);
  }
  if (change.caller_device && !change.caller_device->value.empty()) {
    events.emplace_back(DeviceAdded{command.caller.user, *change.caller_device, seq});
  }
  for (const auto& user : change.removes) {
    // Before the end of the membership, so that who goes hears of it too.
    note(user == command.caller.user ? NoticeKind::left : NoticeKind::removed, user);
    if (find_active(user)->moderator) events.emplace_back(ModeratorSet{user, false, change.now});
    // A second leave answers from here, so this is the time of the answer.
    events.emplace_back(MemberLeft{user, seq, epoch, at});
  }
  if (!change.removes.empty()) {
    if (auto next = heir(change.removes)) {
      if (find_active(*next)->moderator) {
        events.emplace_back(ModeratorSet{*next, false, change.now});
      }
      events.emplace_back(AdminPromoted{*next, change.now});
      note(NoticeKind::admin_added, *next);
    }
  }
}

Result<Decision> Conversation::change_group(const Change& change) const {
  const auto& command = *change.command;
  const auto& parts = *change.parts;
  if (auto checked = check_parts(parts); !checked) return std::unexpected(checked.error());
  if (auto checked = check_welcome(change); !checked) return std::unexpected(checked.error());

  Decision decision;
  const Seq seq(state_.last_seq.value + (parts.commit ? 1 : 0));
  const Epoch epoch(state_.epoch.value + (parts.commit ? 1 : 0));
  const Timestamp at = parts.commit ? blurred(change.now) : change.now;
  decision.outcome = {.seq = parts.commit ? seq : Seq(0), .epoch = epoch, .at = at, .detail = {}};
  auto& events = decision.events;
  if (parts.commit) {
    events.emplace_back(
        RowAppended{.seq = seq,
                    .epoch = epoch,
                    .kind = Kind::commit,
                    .id = commit_id(parts.commit->bytes),
                    .tag = command.tag,
                    .committer = command.caller.user,
                    .base = mutant("epoch_not_compared") ? state_.epoch : parts.commit->base,
                    .at = at,
                    .bytes = parts.commit->bytes});
  }
  change_roster(change, decision);
  if (parts.welcome) {
    for (const auto& recipient : parts.welcome->recipients) {
      if (recipient.key_package_ref.empty() || recipient.device.value.empty()) continue;
      events.emplace_back(DeviceAdded{recipient.user, recipient.device, seq});
    }
    events.emplace_back(WelcomeStored{*parts.welcome, epoch, change.now});
  }
  if (!parts.key_packages.empty()) {
    KeyPackagesConsumed consumed{command.caller.user, {}, change.now};
    for (const auto& use : parts.key_packages) consumed.refs.push_back(use.ref);
    events.emplace_back(std::move(consumed));
  }
  if (parts.group_info) {
    events.emplace_back(GroupInfoStored{epoch, change.now, parts.group_info->bytes});
  }
  record(decision, command);
  return decision;
}

std::string encode_creation(const CreationDetail& detail) {
  // Lines: DIDs hold no line break, so the name, which may, comes last.
  std::string out = std::to_string(detail.members.size()) + "\n";
  for (const auto& member : detail.members) out += member.value + "\n";
  return out + detail.name;
}

std::optional<CreationDetail> decode_creation(std::string_view text) {
  auto line = [&text]() -> std::optional<std::string_view> {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto out = text.substr(0, end);
    text.remove_prefix(end + 1);
    return out;
  };
  auto head = line();
  if (!head || head->empty() || head->size() > 6) return std::nullopt;
  if (!std::ranges::all_of(*head, [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  const auto count = std::stoul(std::string(*head));
  CreationDetail detail;
  for (std::size_t i = 0; i < count; ++i) {
    auto member = line();
    if (!member) return std::nullopt;
    detail.members.emplace_back(std::string(*member));
  }
  detail.name = std::string(text);
  return detail;
}

}  // namespace catbird::core
