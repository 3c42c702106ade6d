// SPDX-License-Identifier: MIT
// Roles, policy, warnings and calls for help in the model: who may, and what it leaves behind.
#include "sim/model.hpp"

#include <algorithm>

namespace catbird::sim {

namespace {

void object_to_role(const Op& op, const core::ChangeRole& change, const ConvoState& state,
                    std::vector<Errc>& objections) {
  const auto target = user_of(change.target);
  const auto object = [&](bool holds, Errc code) {
    if (holds) objections.push_back(code);
  };
  const bool lays_down = !change.grant && target == op.user;
  object(!state.admin(op.user) && !lays_down, Errc::not_admin);
  object(!state.active(target), Errc::not_member);
  if (change.role == core::Role::admin) {
    object(change.grant && state.admin(target), Errc::already_admin);
    object(!change.grant && !state.admin(target), Errc::not_admin_target);
    object(!change.grant && state.admin(target) && state.admins() == 1, Errc::last_admin);
    return;
  }
  object(change.grant && state.admin(target), Errc::is_admin);
  object(change.grant && state.moderator(target), Errc::already_moderator);
  object(!change.grant && !state.moderator(target), Errc::not_moderator);
}

bool gives_nothing(const core::ChangePolicy& change) {
  return !change.allow_invites && !change.admin_only_invites && !change.allow_member_add &&
         !change.allow_member_remove && !change.require_admin_approval && !change.max_members;
}

core::NoticeKind notice_of(const core::Command& command) {
  using enum core::NoticeKind;
  if (const auto* role = std::get_if<core::ChangeRole>(&command.what)) {
    if (role->role == core::Role::admin) return role->grant ? admin_added : admin_ended;
    return role->grant ? moderator_added : moderator_ended;
  }
  if (std::holds_alternative<core::ChangePolicy>(command.what)) return policy_changed;
  if (std::holds_alternative<core::WarnMember>(command.what)) return warned;
  return std::get<core::AskForHelp>(command.what).with == core::AskForHelp::With::readdition
             ? readdition_wanted
             : group_info_wanted;
}

std::size_t subject_of(const Op& op) {
  if (const auto* role = std::get_if<core::ChangeRole>(&op.command.what)) {
    return user_of(role->target);
  }
  if (const auto* warn = std::get_if<core::WarnMember>(&op.command.what)) {
    return user_of(warn->target);
  }
  return op.user;
}

void apply_role(const core::ChangeRole& change, ConvoState& state) {
  auto& target = state.members[user_of(change.target)];
  if (change.role == core::Role::admin) {
    target.admin = change.grant;
    if (change.grant) target.moderator = false;
  } else {
    target.moderator = change.grant;
  }
}

void apply_policy(const core::ChangePolicy& change, PolicyState& policy) {
  policy.invites = change.allow_invites.value_or(policy.invites);
  policy.admin_only_invites = change.admin_only_invites.value_or(policy.admin_only_invites);
  policy.member_add = change.allow_member_add.value_or(policy.member_add);
  policy.member_remove = change.allow_member_remove.value_or(policy.member_remove);
  policy.approval = change.require_admin_approval.value_or(policy.approval);
  if (change.max_members) policy.members_max = *change.max_members;
}

}  // namespace

std::vector<Errc> Model::objections(const Op& op, const ConvoState& state) {
  std::vector<Errc> objections;
  const auto object = [&](bool holds, Errc code) {
    if (holds) objections.push_back(code);
  };
  if (const auto* asked = std::get_if<core::AskForHelp>(&op.command.what)) {
    const bool back = asked->with == core::AskForHelp::With::readdition;
    object(!state.exists, Errc::not_member);
    object(!state.active(op.user) && !(back && state.member(op.user) != nullptr),
           Errc::unauthorized);
    object(back && state.count() == (state.active(op.user) ? 1U : 0U), Errc::no_active_members);
    return objections;
  }
  object(!state.active(op.user), Errc::not_member);
  if (const auto* role = std::get_if<core::ChangeRole>(&op.command.what)) {
    object_to_role(op, *role, state, objections);
  } else if (const auto* policy = std::get_if<core::ChangePolicy>(&op.command.what)) {
    object(!state.admin(op.user), Errc::unauthorized);
    object(gives_nothing(*policy), Errc::no_fields);
    object(policy->max_members && *policy->max_members < state.count(), Errc::invalid_max_members);
  } else if (const auto* warn = std::get_if<core::WarnMember>(&op.command.what)) {
    object(!state.admin(op.user) && !state.moderator(op.user), Errc::not_admin);
    object(!state.active(user_of(warn->target)), Errc::target_not_member);
    object(state.admin(user_of(warn->target)), Errc::cannot_warn_admin);
  }
  return objections;
}

// It writes no row, and tells of itself exactly once, in its place between the rows (L2).
void Model::apply_governance(Op& op, const storage::WriteSet& set, ConvoState& state) {
  if (const auto* role = std::get_if<core::ChangeRole>(&op.command.what)) apply_role(*role, state);
  if (const auto* policy = std::get_if<core::ChangePolicy>(&op.command.what)) {
    apply_policy(*policy, state.policy);
  }
  if (std::holds_alternative<core::AskForHelp>(op.command.what)) {
    op.stored.seq = core::Seq(state.count() - (state.active(op.user) ? 1 : 0));
  }
  std::size_t notices = 0;
  for (const auto& event : set.events) {
    if (std::holds_alternative<core::RowAppended>(event)) {
      violate("O3: " + op.id + " wrote a row", op.convo);
    }
    const auto* notice = std::get_if<core::Noted>(&event);
    if (notice == nullptr) continue;
    ++notices;
    if (notice->kind != notice_of(op.command) || user_of(notice->user) != subject_of(op) ||
        user_of(notice->actor) != op.user || notice->seq.value != state.last_seq ||
        notice->epoch.value != state.epoch) {
      violate("L2: the notice of " + op.id + " tells of something else", op.convo);
    }
  }
  if (notices != 1)
    violate("L2: " + op.id + " left " + std::to_string(notices) + " notices", op.convo);
}

}  // namespace catbird::sim
