// SPDX-License-Identifier: MIT
#include "core/conversation.hpp"

#include "base/check.hpp"
#include "base/mutant.hpp"
#include "core/limits.hpp"

#include <algorithm>
#include <string>

namespace catbird::core {

namespace {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};

}  // namespace

Timestamp blurred(Timestamp now) { return Timestamp(now.value - now.value % row_time_bucket_ms); }

bool Conversation::is_keyed(const Command& command) { return !keys_of(command).empty(); }

std::vector<std::string> Conversation::keys_of(const Command& command) {
  std::vector<std::string> keys;
  if (const auto* send = std::get_if<SendMessage>(&command.what)) {
    keys.push_back(KeyWindow::message_key(send->id));
  }
  if (command.key) keys.push_back(KeyWindow::request_key(command.caller.user, *command.key));
  return keys;
}

Result<Outcome> Conversation::answer_from(const KnownKey& known, const Command& command) {
  if (known.key.front() == 'm' && known.tag != command.tag && !mutant("foreign_id_answers")) {
    return fail(Errc::conflict, "this msgId is already used in the conversation");
  }
  if (known.key.front() == 'r' && known.payload != command.key->payload &&
      !std::holds_alternative<SendMessage>(command.what) && !mutant("payload_ignored")) {
    return fail(Errc::conflict, "this idempotencyKey was used with another request");
  }
  return known.outcome;
}

Result<Decision> Conversation::decide(const Command& command, Timestamp now) const {
  // Retries must win over membership and epoch: both may have moved since the first attempt.
  if (const auto* send = std::get_if<SendMessage>(&command.what);
      mutant("key_after_epoch") && send != nullptr && send->epoch != state_.epoch) {
    return stale(send->epoch);
  }
  for (const auto& key : keys_of(command)) {
    const auto* known = keys_.find(key);
    if (known == nullptr || mutant("retry_decided_again")) continue;
    auto answer = answer_from(*known, command);
    if (answer) return Decision{{}, std::move(*answer)};
    // A stranger must not learn that the conversation, and the id in it, exist (A6).
    if (find(command.caller.user) == nullptr) return fail(Errc::not_member);
    return std::unexpected(answer.error());
  }
  return std::visit(
      Overload{
          [&](const CreateConvo& what) { return decide_create(command, what, now); },
          [&](const AddMembers& what) { return decide_add(command, what, now); },
          [&](const RemoveMembers& what) { return decide_remove(command, what, now); },
          [&](const LeaveConvo& what) { return decide_leave(command, what, now); },
          [&](const SendMessage& what) { return decide_send(command, what, now); },
          [&](const ExternalCommit& what) { return decide_external(command, what, now); },
          [&](const UpdateGroupInfo& what) { return decide_group_info(command, what, now); },
          [&](const MarkRead& what) { return decide_read(command, what, now); },
          [&](const ChangeRole& what) { return decide_role(command, what, now); },
          [&](const ChangePolicy& what) { return decide_policy(command, what, now); },
          [&](const WarnMember& what) { return decide_warn(command, what, now); },
          [&](const AskForHelp& what) { return decide_help(command, what, now); },
      },
      command.what);
}

Result<Decision> Conversation::decide_send(const Command& command, const SendMessage& send,
                                           Timestamp now) const {
  if (find_active(command.caller.user) == nullptr) return fail(Errc::not_member);
  if (send.group_id != state_.group_id) {
    return fail(Errc::invalid_request, "the message belongs to another group");
  }
  if (send.epoch != state_.epoch && !mutant("message_of_any_epoch")) return stale(send.epoch);

  const Seq seq(state_.last_seq.value + 1);
  const Timestamp at = blurred(now);
  Decision decision;
  decision.outcome = {.seq = seq, .epoch = state_.epoch, .at = at, .detail = {}};
  decision.events.emplace_back(RowAppended{.seq = seq,
                                           .epoch = state_.epoch,
                                           .kind = send.kind,
                                           .id = send.id,
                                           .tag = command.tag,
                                           .committer = {},
                                           .base = std::nullopt,
                                           .at = at,
                                           .bytes = send.bytes});
  if (command.key) {
    // A retry by idempotencyKey may carry another msgId: the first one is the answer.
    decision.outcome.detail = send.id.value;
    decision.events.emplace_back(
        RequestRecorded{command.caller.user, *command.key, decision.outcome});
  }
  return decision;
}

Result<Decision> Conversation::decide_group_info(const Command& command,
                                                 const UpdateGroupInfo& update,
                                                 Timestamp now) const {
  if (find_active(command.caller.user) == nullptr) return fail(Errc::unauthorized);
  if (update.group_info.group_id != state_.group_id) {
    return fail(Errc::invalid_group_info, "the GroupInfo belongs to another group");
  }
  if (update.group_info.epoch < state_.epoch) return stale(update.group_info.epoch);
  if (update.group_info.epoch > state_.epoch) {
    return fail(Errc::invalid_group_info, "the GroupInfo is of an epoch that does not exist yet");
  }
  Decision decision;
  decision.outcome = {.seq = Seq(0), .epoch = state_.epoch, .at = now, .detail = {}};
  decision.events.emplace_back(GroupInfoStored{state_.epoch, now, update.group_info.bytes});
  return decision;
}

Result<Decision> Conversation::decide_read(const Command& command, const MarkRead& mark,
                                           Timestamp now) const {
  const auto* member = find_active(command.caller.user);
  if (member == nullptr) return fail(Errc::not_member);
  const Seq target = std::min(mark.seq, state_.last_seq);
  Decision decision;
  decision.outcome = {
      .seq = std::max(target, member->read_seq), .epoch = state_.epoch, .at = now, .detail = {}};
  if (mutant("mark_moves_back")) decision.outcome.seq = target;
  if (target > member->read_seq || mutant("mark_moves_back")) {
    decision.events.emplace_back(ReadMarked{command.caller.user, target});
  }
  return decision;
}

Result<Access> Conversation::access(const Did& user) const {
  const auto* member = find(user);
  if (member == nullptr) return fail(Errc::not_member);
  return Access{.active = member->active(),
                .after = member->join_seq,
                .until = !member->active() && !mutant("departed_reads_on")
                             ? state_.members.left(*member)->seq
                             : state_.last_seq,
                .last_seq = state_.last_seq,
                .read_seq = member->read_seq,
                .epoch = state_.epoch};
}

std::unexpected<Error> Conversation::stale(Epoch client) const {
  return std::unexpected(
      Error{Errc::epoch_mismatch, {}, EpochClash{state_.epoch.value, client.value}, 0});
}

const Roster::Entry* Conversation::find(const Did& user) const { return state_.members.find(user); }

const Roster::Entry* Conversation::find_active(const Did& user) const {
  const auto* member = find(user);
  return member != nullptr && member->active() ? member : nullptr;
}

Roster::Entry& Conversation::at(const Did& user) {
  auto* member = state_.members.find(user);
  CATBIRD_CHECK(member != nullptr);
  return *member;
}

std::size_t Conversation::active_count() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(state_.members.entries(), &Roster::Entry::active));
}

std::size_t Conversation::admin_count() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      state_.members.entries(), [](const Roster::Entry& member) { return member.admin; }));
}

void Conversation::apply(const Event& event) {
  std::visit([this](const auto& one) { apply_one(one); }, event);
}

void Conversation::apply_one(const ConvoCreated& event) {
  CATBIRD_CHECK(!state_.exists);
  state_.exists = true;
  state_.group_id = event.group_id;
  state_.creator = event.creator;
  state_.suite = event.suite;
  state_.created_at = event.at;
  state_.creation_epoch = event.epoch;
  state_.epoch = event.epoch;
}

void Conversation::apply_one(const MemberAdded& event) {
  auto* member = state_.members.find(event.user);
  if (member == nullptr) {
    member = &state_.members.insert(event.user);
  } else {
    state_.members.come_back(*member);  // decide() refuses to add an active member
  }
  member->admin = event.admin;
  member->join_seq = event.join_seq;
  member->read_seq = std::max(member->read_seq, event.join_seq);
}

void Conversation::apply_one(const DeviceAdded& event) {
  state_.members.add_device(at(event.user), event.device);
}

void Conversation::apply_one(const MemberLeft& event) {
  state_.members.leave(at(event.user), {event.left_seq, event.epoch, event.at});
}

void Conversation::apply_one(const AdminPromoted& event) { at(event.user).admin = true; }

void Conversation::apply_one(const AdminDemoted& event) { at(event.user).admin = false; }

void Conversation::apply_one(const ModeratorSet& event) {
  at(event.user).moderator = event.moderates;
}

void Conversation::apply_one(const PolicySet& event) { state_.policy = event.policy; }

void Conversation::apply_one(const RowAppended& event) {
  CATBIRD_CHECK(event.seq.value == state_.last_seq.value + 1);
  if (!mutant("max_seq_plus_one")) state_.last_seq = event.seq;
  if (event.kind == Kind::commit) {
    CATBIRD_CHECK(event.base == state_.epoch && event.epoch.value == state_.epoch.value + 1);
    state_.epoch = event.epoch;
  } else {
    CATBIRD_CHECK(event.epoch == state_.epoch);
    keys_.add({.key = KeyWindow::message_key(event.id),
               .payload = {},
               .tag = event.tag,
               .outcome = {.seq = event.seq, .epoch = event.epoch, .at = event.at, .detail = {}}});
  }
}

void Conversation::apply_one(const WelcomeStored&) {}

void Conversation::apply_one(const GroupInfoStored& event) {
  state_.group_info_epoch = event.epoch;
}

void Conversation::apply_one(const KeyPackagesConsumed&) {}

void Conversation::apply_one(const ReadMarked& event) {
  auto& mark = at(event.user).read_seq;
  mark = mutant("mark_moves_back") ? event.seq : std::max(mark, event.seq);
}

void Conversation::apply_one(const RequestRecorded& event) {
  keys_.add({.key = KeyWindow::request_key(event.user, event.key),
             .payload = event.key.payload,
             .tag = {},
             .outcome = event.outcome});
}

}  // namespace catbird::core
