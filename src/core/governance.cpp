// SPDX-License-Identifier: MIT
// Who may do what in a conversation, warnings, and calls for help: what changes no MLS group.
#include "base/mutant.hpp"
#include "core/conversation.hpp"
#include "core/record.hpp"

#include <utility>

namespace catbird::core {

namespace {

/// Sets what was given.
template <class T>
void take(const std::optional<T>& given, T& value, bool& any) {
  if (!given) return;
  value = *given;
  any = true;
}

}  // namespace

Decision Conversation::changed_without_row(Timestamp now) const {
  Decision decision;
  decision.outcome = {.seq = Seq(0), .epoch = state_.epoch, .at = now, .detail = {}};
  return decision;
}

Noted Conversation::noted(NoticeKind kind, const Did& user, const Did& actor, Timestamp at) const {
  return {.kind = kind,
          .user = user,
          .actor = actor,
          .device = {},
          .reference = {},
          .text = {},
          .seq = state_.last_seq,
          .epoch = state_.epoch,
          .at = at};
}

Result<Decision> Conversation::decide_role(const Command& command, const ChangeRole& change,
                                           Timestamp now) const {
  const auto* caller = find_active(command.caller.user);
  if (caller == nullptr) return fail(Errc::not_member);
  const bool lays_down = !change.grant && change.target == command.caller.user;
  if (!caller->admin && !lays_down && !mutant("anyone_promotes")) return fail(Errc::not_admin);
  const auto* target = find_active(change.target);
  if (target == nullptr) return fail(Errc::not_member, "the target is not a member");

  auto decision = changed_without_row(now);
  auto& events = decision.events;
  const auto note = [&](NoticeKind kind) {
    events.emplace_back(noted(kind, change.target, command.caller.user, now));
  };
  if (change.role == Role::admin && change.grant) {
    if (target->admin) return fail(Errc::already_admin);
    if (target->moderator) events.emplace_back(ModeratorSet{change.target, false, now});
    events.emplace_back(AdminPromoted{change.target, now});
    note(NoticeKind::admin_added);
  } else if (change.role == Role::admin) {
    if (!target->admin) return fail(Errc::not_admin_target);
    if (admin_count() == 1 && !mutant("last_admin_vanishes")) return fail(Errc::last_admin);
    events.emplace_back(AdminDemoted{change.target, now});
    note(NoticeKind::admin_ended);
  } else if (change.grant) {
    if (target->admin) return fail(Errc::is_admin);
    if (target->moderator) return fail(Errc::already_moderator);
    events.emplace_back(ModeratorSet{change.target, true, now});
    note(NoticeKind::moderator_added);
  } else {
    if (!target->moderator) return fail(Errc::not_moderator);
    events.emplace_back(ModeratorSet{change.target, false, now});
    note(NoticeKind::moderator_ended);
  }
  record(decision, command);
  return decision;
}

Result<Decision> Conversation::decide_policy(const Command& command, const ChangePolicy& change,
                                             Timestamp now) const {
  const auto* caller = find_active(command.caller.user);
  if (caller == nullptr) return fail(Errc::not_member);
  if (!caller->admin) return fail(Errc::unauthorized, "only an admin may do this");
  auto policy = state_.policy;
  bool any = false;
  take(change.allow_invites, policy.allow_invites, any);
  take(change.admin_only_invites, policy.admin_only_invites, any);
  take(change.allow_member_add, policy.allow_member_add, any);
  take(change.allow_member_remove, policy.allow_member_remove, any);
  take(change.require_admin_approval, policy.require_admin_approval, any);
  take(change.max_members, policy.max_members, any);
  if (!any) return fail(Errc::no_fields);
  if (policy.max_members < active_count()) return fail(Errc::invalid_max_members);

  auto decision = changed_without_row(now);
  decision.events.emplace_back(PolicySet{policy, command.caller.user, now});
  decision.events.emplace_back(
      noted(NoticeKind::policy_changed, command.caller.user, command.caller.user, now));
  record(decision, command);
  return decision;
}

Result<Decision> Conversation::decide_warn(const Command& command, const WarnMember& warn,
                                           Timestamp now) const {
  const auto* caller = find_active(command.caller.user);
  if (caller == nullptr) return fail(Errc::not_member);
  if (!caller->admin && !caller->moderator) return fail(Errc::not_admin);
  const auto* target = find_active(warn.target);
  if (target == nullptr) return fail(Errc::target_not_member);
  if (target->admin) return fail(Errc::cannot_warn_admin);

  auto decision = changed_without_row(now);
  decision.outcome.detail = warn.id;
  auto notice = noted(NoticeKind::warned, warn.target, command.caller.user, now);
  notice.reference = warn.id;
  notice.text = warn.reason;
  decision.events.emplace_back(std::move(notice));
  record(decision, command);
  return decision;
}

Result<Decision> Conversation::decide_help(const Command& command, const AskForHelp& asked,
                                           Timestamp now) const {
  const auto& user = command.caller.user;
  const bool active = find_active(user) != nullptr;
  const bool readdition = asked.with == AskForHelp::With::readdition;
  if (!active && !(readdition && find(user) != nullptr)) return fail(Errc::unauthorized);
  const auto others = active_count() - (active ? 1 : 0);
  if (others == 0 && readdition) return fail(Errc::no_active_members);

  auto decision = changed_without_row(now);
  decision.outcome.detail = asked.id;
  decision.outcome.seq = Seq(others);  // no row: how many can help
  auto notice = noted(readdition ? NoticeKind::readdition_wanted : NoticeKind::group_info_wanted,
                      user, user, now);
  notice.reference = asked.id;
  decision.events.emplace_back(std::move(notice));
  record(decision, command);
  return decision;
}

}  // namespace catbird::core
