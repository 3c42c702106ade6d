// SPDX-License-Identifier: MIT
// The descriptions, in the order of the columns in migrations/0003_accounts.sql and
// 0004_governance.sql.
#include "storage/tables/accounts.hpp"
#include "storage/tables/conversations.hpp"
#include "storage/tables/operations.hpp"
#include "storage/tables/requests.hpp"

#include <array>

namespace catbird::storage {

using enum ColumnType;

const TableSpec& DeviceRecord::table() {
  static const TableSpec spec{.name = "device",
                              .columns = {{"user_did"},
                                          {"device"},
                                          {"uuid", text, true},
                                          {"name"},
                                          {"signature_key", blob},
                                          {"registered_at", integer},
                                          {"seen_at", integer}},
                              .key = 2,
                              .unique = {{"user_did", "uuid"}, {"user_did", "signature_key"}}};
  return spec;
}

const TableSpec& KeyPackageClaim::table() {
  static const TableSpec spec{.name = "key_package_claim",
                              .columns = {{"user_did"},
                                          {"package", integer},
                                          {"device"},
                                          {"suite", integer},
                                          {"caller"},
                                          {"at", integer}},
                              .key = 2};
  return spec;
}

const TableSpec& PushToken::table() {
  static const TableSpec spec{
      .name = "push_token",
      .columns = {{"user_did"}, {"device"}, {"platform"}, {"sealed", blob}, {"at", integer}},
      .key = 2};
  return spec;
}

const TableSpec& PushNotice::table() {
  static const TableSpec spec{.name = "push_notice",
                              .columns = {{"user_did"}, {"device"}, {"what"}, {"at", integer}},
                              .key = 2};
  return spec;
}

const TableSpec& OptInRecord::table() {
  static const TableSpec spec{
      .name = "opt_in", .columns = {{"user_did"}, {"device"}, {"at", integer}}, .key = 1};
  return spec;
}

const TableSpec& SubscriptionTicket::table() {
  static const TableSpec spec{.name = "subscription_ticket",
                              .columns = {{"ticket", blob},
                                          {"user_did"},
                                          {"device"},
                                          {"convo_id", text, true},
                                          {"expires_at", integer}},
                              .key = 1};
  return spec;
}

const TableSpec& PendingAddition::table() {
  static const TableSpec spec{.name = "pending_addition",
                              .columns = {{"id"},
                                          {"convo_id"},
                                          {"user_did"},
                                          {"device"},
                                          {"device_name"},
                                          {"status"},
                                          {"claimed_by", text, true},
                                          {"claim_until", integer, true},
                                          {"at", integer}},
                              .key = 1,
                              .unique = {{"convo_id", "user_did", "device"}}};
  return spec;
}

const TableSpec& ChatRequestRecord::table() {
  static const TableSpec spec{.name = "chat_request",
                              .columns = {{"id"},
                                          {"sender"},
                                          {"recipient"},
                                          {"status"},
                                          {"at", integer},
                                          {"expires_at", integer},
                                          {"preview", text, true},
                                          {"group_invite", integer},
                                          {"group_id", text, true},
                                          {"messages", integer},
                                          {"decided_at", integer, true},
                                          {"reason", text, true},
                                          {"details", text, true}},
                              .key = 1};
  return spec;
}

const TableSpec& HeldMessage::table() {
  static const TableSpec spec{.name = "held_message",
                              .columns = {{"request"},
                                          {"number", integer},
                                          {"padded_size", integer},
                                          {"ephemeral_key", blob},
                                          {"ciphertext", blob}},
                              .key = 2};
  return spec;
}

const TableSpec& ChatRequestSettings::table() {
  static const TableSpec spec{.name = "chat_settings",
                              .columns = {{"user_did"},
                                          {"followers_bypass", integer},
                                          {"following_bypass", integer},
                                          {"expire_days", integer}},
                              .key = 1};
  return spec;
}

const TableSpec& BlockedSender::table() {
  static const TableSpec spec{.name = "blocked_sender",
                              .columns = {{"user_did"}, {"sender"}, {"reason"}, {"at", integer}},
                              .key = 2};
  return spec;
}

const TableSpec& NoticeRecord::table() {
  static const TableSpec spec{.name = "notice",
                              .columns = {{"position", integer},
                                          {"convo_id"},
                                          {"kind", integer},
                                          {"user_did"},
                                          {"actor"},
                                          {"device"},
                                          {"reference"},
                                          {"words"},
                                          {"seq", integer},
                                          {"epoch", integer},
                                          {"at", integer}},
                              .key = 1};
  return spec;
}

const TableSpec& PolicyRecord::table() {
  static const TableSpec spec{.name = "convo_policy",
                              .columns = {{"convo_id"},
                                          {"allow_invites", integer},
                                          {"admin_only_invites", integer},
                                          {"allow_member_add", integer},
                                          {"allow_member_remove", integer},
                                          {"require_admin_approval", integer},
                                          {"max_members", integer},
                                          {"updated_by"},
                                          {"at", integer}},
                              .key = 1};
  return spec;
}

const TableSpec& ModeratorRecord::table() {
  static const TableSpec spec{
      .name = "moderator", .columns = {{"convo_id"}, {"user_did"}, {"at", integer}}, .key = 2};
  return spec;
}

Result<void> set_moderator(TableWriter& tables, const core::ConvoId& convo,
                           const core::ModeratorSet& event) {
  if (event.moderates) return put(tables, ModeratorRecord{convo, event.user, event.at});
  auto row = select_one<ModeratorRecord>(
      tables, {.where = {where("convo_id", convo), where("user_did", event.user)}});
  if (!row) return std::unexpected(row.error());
  if (!*row) return fail(Errc::internal, "no such moderator");
  return erase(tables, **row);
}

Result<void> load_governance(TableReader& tables, const core::ConvoId& convo,
                             core::Snapshot& state) {
  const Selection its{.where = {where("convo_id", convo)}};
  auto policy = tables.select(PolicyRecord::table(), its);
  if (!policy) return std::unexpected(policy.error());
  auto moderators = tables.select(ModeratorRecord::table(), its);
  if (!moderators) return std::unexpected(moderators.error());
  return add_governance(std::move(*policy), std::move(*moderators), state);
}

Result<void> add_governance(std::vector<Cells> policy, std::vector<Cells> moderators,
                            core::Snapshot& state) {
  for (auto& row : policy) state.policy = policy_of(row_of_cells<PolicyRecord>(std::move(row)));
  for (auto& row : moderators) {
    auto* member = state.members.find(row_of_cells<ModeratorRecord>(std::move(row)).user);
    if (member == nullptr || !member->active()) {
      return fail(Errc::storage_corrupt, "a moderator who is no member");
    }
    member->moderator = true;
  }
  return {};
}

const TableSpec& SuspensionRecord::table() {
  static const TableSpec spec{
      .name = "suspension", .columns = {{"user_did"}, {"reason"}, {"at", integer}}, .key = 1};
  return spec;
}

const TableSpec& OperatorAct::table() {
  static const TableSpec spec{
      .name = "operator_act",
      .columns = {{"id"}, {"what"}, {"user_did"}, {"reason"}, {"at", integer}, {"outcome"}},
      .key = 1};
  return spec;
}

const TableSpec& BlockConflictRecord::table() {
  static const TableSpec spec{.name = "block_conflict",
                              .columns = {{"convo_id"},
                                          {"blocker"},
                                          {"blocked"},
                                          {"at", integer},
                                          {"lifted_at", integer, true}},
                              .key = 3};
  return spec;
}

const TableSpec& ReportRecord::table() {
  static const TableSpec spec{.name = "report",
                              .columns = {{"id"},
                                          {"convo_id"},
                                          {"reporter"},
                                          {"reported"},
                                          {"category"},
                                          {"message_ids", text, true},
                                          {"status"},
                                          {"at", integer},
                                          {"action_taken", text, true},
                                          {"notes", text, true},
                                          {"resolved_by", text, true},
                                          {"resolved_at", integer, true},
                                          {"content", blob}},
                              .key = 1};
  return spec;
}

const TableSpec& InviteRecord::table() {
  static const TableSpec spec{.name = "invite",
                              .columns = {{"id"},
                                          {"convo_id"},
                                          {"created_by"},
                                          {"at", integer},
                                          {"psk_hash"},
                                          {"target", text, true},
                                          {"expires_at", integer, true},
                                          {"max_uses", integer, true},
                                          {"uses", integer},
                                          {"revoked_at", integer, true},
                                          {"revoked_by", text, true}},
                              .key = 1};
  return spec;
}

std::span<const TableSpec* const> all_tables() {
  static const std::array tables{
      &DeviceRecord::table(),        &PushToken::table(),          &PushNotice::table(),
      &OptInRecord::table(),         &SubscriptionTicket::table(), &PendingAddition::table(),
      &ChatRequestRecord::table(),   &HeldMessage::table(),        &ChatRequestSettings::table(),
      &BlockedSender::table(),       &NoticeRecord::table(),       &PolicyRecord::table(),
      &ModeratorRecord::table(),     &ReportRecord::table(),       &InviteRecord::table(),
      &BlockConflictRecord::table(), &KeyPackageClaim::table(),    &SuspensionRecord::table(),
      &OperatorAct::table()};
  return tables;
}

}  // namespace catbird::storage
