// SPDX-License-Identifier: MIT
// The descriptions, in the order of the columns in migrations/0003_accounts.sql.
#include "storage/tables/accounts.hpp"
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

std::span<const TableSpec* const> all_tables() {
  static const std::array tables{&DeviceRecord::table(),        &PushToken::table(),
                                 &PushNotice::table(),          &OptInRecord::table(),
                                 &SubscriptionTicket::table(),  &PendingAddition::table(),
                                 &ChatRequestRecord::table(),   &HeldMessage::table(),
                                 &ChatRequestSettings::table(), &BlockedSender::table()};
  return tables;
}

}  // namespace catbird::storage
