// SPDX-License-Identifier: MIT
#include "storage/postgres/sums.hpp"

#include <array>

namespace catbird::storage::postgres {

namespace {

template <std::size_t n>
std::int64_t sum(std::string_view table, const std::array<Value, n>& values) {
  return sum_row(table, values);
}

std::optional<std::string_view> committer_of(const core::RowAppended& row) {
  if (row.committer.value.empty()) return std::nullopt;
  return row.committer.value;
}

}  // namespace

std::int64_t head_sum(const core::ConvoId& convo, const Head& head) {
  return sum("conversation.head",
             std::array<Value, 5>{convo, head.epoch, head.last_seq, head.version, head.fence});
}

std::int64_t convo_sum(const ConvoRow& row) {
  return sum("conversation",
             std::array<Value, 11>{row.convo, row.group_id, row.generation, row.creator, row.suite,
                                   row.name, row.created_at, row.creation_epoch, row.first_seq,
                                   row.group_info_epoch, row.members});
}

std::int64_t read_sum(RowHandle convo, const core::Did& user, core::Seq read_seq) {
  return sum("member.read", std::array<Value, 3>{convo, user, read_seq});
}

std::int64_t member_sum(RowHandle convo, const MemberRow& row) {
  std::optional<core::Seq> left_seq;
  std::optional<core::Epoch> left_epoch;
  std::optional<Timestamp> left_at;
  if (row.left) {
    left_seq = row.left->seq;
    left_epoch = row.left->epoch;
    left_at = row.left->at;
  }
  return sum("member", std::array<Value, 9>{convo, row.user, row.admin, row.join_seq, row.joined_at,
                                            row.promoted_at, left_seq, left_epoch, left_at});
}

std::int64_t device_sum(RowHandle convo, const core::DeviceAdded& event) {
  return sum("member_device",
             std::array<Value, 4>{convo, event.user, event.device, event.join_seq});
}

std::int64_t message_sum(RowHandle convo, const core::RowAppended& row, std::int64_t body_sum) {
  return sum("message",
             std::array<Value, 10>{convo, row.seq, row.epoch, static_cast<int>(row.kind), row.id,
                                   row.base, row.tag, committer_of(row), row.at, body_sum});
}

std::int64_t request_sum(RowHandle convo, core::Seq after, const core::RequestRecorded& record) {
  const auto& outcome = record.outcome;
  return sum("idempotency", std::array<Value, 10>{record.user, record.key.method, record.key.key,
                                                  record.key.payload, convo, after, outcome.seq,
                                                  outcome.epoch, outcome.at, outcome.detail});
}

std::int64_t blob_sum(std::string_view table, RowHandle convo, core::Epoch epoch, Timestamp at,
                      std::int64_t body_sum) {
  return sum(table, std::array<Value, 4>{convo, epoch, at, body_sum});
}

std::int64_t recipient_sum(const RecipientRow& row, std::string_view state) {
  return sum("welcome_recipient",
             std::array<Value, 7>{row.welcome, row.convo, row.user, row.pointer.device, row.ref,
                                  state, row.pointer.at});
}

std::string_view state_of(const PackageRow& row) {
  if (row.state.reserved_by) return "reserved";
  return row.consumed_at ? "consumed" : "available";
}

std::int64_t package_sum(const PackageRow& row) {
  std::optional<Timestamp> until;
  if (row.state.reserved_by) until = row.state.reserved_until;
  return sum("key_package",
             std::array<Value, 13>{row.user, row.state.device, row.suite, row.ref, row.hash,
                                   row.state.last_resort, row.state.not_after, row.published_at,
                                   state_of(row), row.state.reserved_by, until, row.consumed_at,
                                   row.body_sum});
}

}  // namespace catbird::storage::postgres
