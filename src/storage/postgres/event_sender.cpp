// SPDX-License-Identifier: MIT
// The rows of one write set on their way to the database.
#include "base/mutant.hpp"
#include "storage/postgres/event_writer.hpp"
#include "storage/postgres/tables.hpp"
#include "storage/tables/conversations.hpp"

namespace catbird::storage::postgres {

namespace {

constexpr const char* delete_devices =
    "DELETE FROM member_device WHERE convo = $1::bigint AND user_did = ANY($2::text[])";
constexpr const char* insert_devices =
    "INSERT INTO member_device (convo, user_did, device, join_seq, checksum)"
    " SELECT $1::bigint, u, d, j, s FROM unnest($2::text[], $3::text[], $4::bigint[],"
    " $5::bigint[]) AS m(u, d, j, s) ON CONFLICT DO NOTHING";
// Numbered rows: never ON CONFLICT DO NOTHING, which would leave a gap (engine.md).
constexpr const char* insert_messages =
    "INSERT INTO message (position, convo, seq, epoch, base_epoch, at, body_sum, checksum, kind,"
    " msg_id, sender_tag, committer, body)"
    " SELECT nextval('message_position'), $1::bigint, m.* FROM (SELECT seq, epoch, base, at, bs, s,"
    " kind::smallint, id, tag, who, body FROM unnest($2::bigint[], $3::bigint[], $4::bigint[],"
    " $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::text[], $10::bytea[],"
    " $11::text[], $12::bytea[]) AS u(seq, epoch, base, at, bs, s, kind, id, tag, who, body)"
    " ORDER BY seq) m RETURNING position";
constexpr const char* delete_moderator =
    "DELETE FROM moderator WHERE convo_id = $1::text AND user_did = $2::text";
constexpr const char* insert_requests =
    "INSERT INTO idempotency (convo, after_seq, seq, epoch, at, checksum, user_did, method, key,"
    " payload, detail) SELECT $1::bigint, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[],"
    " $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::bytea[], $11::text[])";
constexpr const char* insert_welcome =
    "INSERT INTO welcome (convo, epoch, at, body_sum, checksum, body) VALUES ($1::bigint,"
    " $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bytea) RETURNING id";
constexpr const char* insert_recipients =
    "INSERT INTO welcome_recipient (welcome, convo, at, checksum, user_did, device, ref, state)"
    " SELECT $1::bigint, $2::bigint, $3::bigint, m.* FROM unnest($4::bigint[], $5::text[],"
    " $6::text[], $7::bytea[], $8::text[]) AS m";
constexpr const char* replace_group_info =
    "INSERT INTO group_info (convo, epoch, at, body_sum, checksum, body) VALUES ($1::bigint,"
    " $2::bigint, $3::bigint, $4::bigint, $5::bigint, $6::bytea) ON CONFLICT (convo) DO UPDATE SET"
    " epoch = excluded.epoch, at = excluded.at, body_sum = excluded.body_sum,"
    " checksum = excluded.checksum, body = excluded.body";

template <class... Columns>
void add_all(Params& params, const Columns&... columns) {
  (columns.add_to(params), ...);
}

std::unexpected<Error> lost_row(const char* what) { return fail(Errc::internal, what); }

}  // namespace

void MessageColumns::add(RowHandle convo, const core::RowAppended& row) {
  const auto bytes_sum = sum_of(*row.bytes);
  seq.add(row.seq);
  epoch.add(row.epoch);
  base.add(row.base);
  at.add(row.at);
  body_sum.add(bytes_sum);
  sum.add(message_sum(convo, row, bytes_sum));
  kind.add(static_cast<int>(row.kind));
  id.add(row.id);
  tag.add(row.tag);
  committer.add(row.committer.value.empty() ? Value(std::nullopt) : Value(row.committer));
  body.add(*row.bytes);
}

void MessageColumns::add_to(Params& params) const {
  add_all(params, seq, epoch, base, at, body_sum, sum, kind, id, tag, committer, body);
}

void RequestColumns::add(RowHandle convo, core::Seq after_seq,
                         const core::RequestRecorded& record) {
  const auto& outcome = record.outcome;
  after.add(after_seq);
  seq.add(outcome.seq);
  epoch.add(outcome.epoch);
  at.add(outcome.at);
  sum.add(request_sum(convo, after_seq, record));
  user.add(record.user);
  method.add(record.key.method);
  key.add(record.key.key);
  payload.add(record.key.payload);
  detail.add(outcome.detail);
}

void RequestColumns::add_to(Params& params) const {
  add_all(params, after, seq, epoch, at, sum, user, method, key, payload, detail);
}

Result<std::uint64_t> EventWriter::send() {
  sent_ = true;
  if (set_.creates) {
    auto id = insert_convo(db_, row_);
    if (!id) return std::unexpected(id.error());
    row_.id = *id;
  }
  if (auto done = send_welcomes(); !done) return std::unexpected(done.error());
  std::vector<Call> calls;
  if (!set_.creates) calls.push_back(update_convo(row_, set_));
  const auto consumed_from = calls.size();
  for (const auto& ref : consumed_) calls.push_back(consume_package(packages_.at(ref)));
  const auto consumed_to = calls.size();
  if (!messages_.empty()) add_messages(calls);
  if (!changed_members_.empty()) add_members(calls);
  add_devices(calls);
  if (!requests_.empty()) add_requests(calls);
  add_rest(calls);
  const auto drawn_at = calls.size();
  if (!notices_.empty()) calls.push_back(draw_positions(notices_.size()));
  auto results = db_.query_all(calls);
  if (!results) return std::unexpected(results.error());
  if (!set_.creates && results->front().changed() != 1) {
    return lost_row("the conversation changed under its lock");
  }
  for (auto i = consumed_from; i < consumed_to; ++i) {
    if ((*results)[i].changed() != 1) return fail(Errc::key_package_not_found);
  }
  if (!notices_.empty()) {
    if (auto done = send_notices((*results)[drawn_at]); !done) {
      return std::unexpected(done.error());
    }
  }
  if (!messages_.empty()) return (*results)[consumed_to].number(0, 0);
  return notices_.empty() ? 0 : (*results)[drawn_at].number(0, 0);
}

Result<void> EventWriter::send_notices(const Rows& positions) {
  std::vector<Call> calls;
  int at = 0;
  for (const auto* noted : notices_) {
    const auto record = record_of(positions.number(at++, 0), set_.convo, *noted);
    calls.push_back(insert_call(NoticeRecord::table(), cells_of(record)));
  }
  auto done = db_.query_all(calls);
  if (!done) return std::unexpected(done.error());
  for (const auto& one : *done) {
    if (one.changed() != 1) return lost_row("a position was used twice");
  }
  return {};
}

void EventWriter::add_messages(std::vector<Call>& calls) const {
  MessageColumns columns;
  for (const auto* row : messages_) columns.add(row_.id, *row);
  Call call{insert_messages, {row_.id}};
  columns.add_to(call.params);
  calls.push_back(std::move(call));
}

void EventWriter::add_members(std::vector<Call>& calls) const {
  std::vector<const MemberRow*> rows;
  rows.reserve(changed_members_.size());
  for (const auto& user : changed_members_) rows.push_back(&members_.at(user));
  calls.push_back(write_members(row_.id, rows));
}

void EventWriter::add_devices(std::vector<Call>& calls) const {
  using enum Column::Type;
  if (!devices_dropped_.empty()) {
    Column users(text);
    for (const auto& user : devices_dropped_) users.add(user);
    Call call{delete_devices, {row_.id}};
    users.add_to(call.params);
    calls.push_back(std::move(call));
  }
  if (devices_.empty()) return;
  Column users(text), names(text), joined(int8), sums(int8);
  for (const auto& [key, event] : devices_) {
    users.add(event->user);
    names.add(event->device);
    joined.add(event->join_seq);
    sums.add(device_sum(row_.id, *event));
  }
  Call call{insert_devices, {row_.id}};
  add_all(call.params, users, names, joined, sums);
  calls.push_back(std::move(call));
}

void EventWriter::add_requests(std::vector<Call>& calls) const {
  RequestColumns columns;
  for (const auto& [after, record] : requests_) columns.add(row_.id, after, *record);
  Call call{insert_requests, {row_.id}};
  columns.add_to(call.params);
  calls.push_back(std::move(call));
}

void EventWriter::add_rest(std::vector<Call>& calls) {
  if (policy_ != nullptr) {
    calls.push_back(put_call(PolicyRecord::table(), cells_of(record_of(set_.convo, *policy_))));
  }
  for (const auto* one : moderators_) {
    const ModeratorRecord row{set_.convo, one->user, one->at};
    calls.push_back(one->moderates ? put_call(ModeratorRecord::table(), cells_of(row))
                                   : Call{delete_moderator, {set_.convo, one->user}});
  }
  if (group_info_ == nullptr) return;
  const auto& info = *group_info_;
  const auto sum = sum_of(*info.bytes);
  calls.push_back({replace_group_info,
                   {row_.id, info.epoch, info.at, sum,
                    blob_sum("group_info", row_.id, info.epoch, info.at, sum), *info.bytes}});
}

// Each with the pointers it supersedes and its own: a later Welcome of the same set supersedes an
// earlier one. Nearly every set has one at most.
Result<void> EventWriter::send_welcomes() {
  using enum Column::Type;
  for (const auto* event : welcomes_) {
    const auto& welcome = event->welcome;
    Column users(text);
    // Two pointers of one device: the later one supersedes the earlier.
    std::map<std::pair<core::Did, core::DeviceId>, const core::Recipient*> addressed;
    for (const auto& to : welcome.recipients) {
      const auto [place, fresh] = addressed.insert_or_assign({to.user, to.device}, &to);
      if (fresh) users.add(place->first.first);
    }
    std::vector<Call> calls;
    auto earlier = recipients_of(db_, row_.id, users);
    if (!earlier) return std::unexpected(earlier.error());
    for (const auto& row : *earlier) {
      if (!row.pointer.pending || !addressed.contains({row.user, row.pointer.device})) continue;
      if (mutant("welcome_not_superseded")) continue;
      calls.push_back(end_recipient(row, "superseded"));
    }
    const auto ended = calls.size();
    const auto sum = sum_of(*welcome.bytes);
    calls.push_back({insert_welcome,
                     {row_.id, event->epoch, event->at, sum,
                      blob_sum("welcome", row_.id, event->epoch, event->at, sum), *welcome.bytes}});
    auto results = db_.query_all(calls);
    if (!results) return std::unexpected(results.error());
    for (std::size_t i = 0; i < ended; ++i) {
      if ((*results)[i].changed() != 1) return lost_row("the Welcome is not pending");
    }
    const auto id = results->back().integer(0, 0);
    Column sums(int8), names(text), devices(text), refs(bytea), states(text);
    for (const auto& to : welcome.recipients) {
      RecipientRow row{.pointer = {.id = 0, .device = to.device, .pending = true, .at = event->at},
                       .welcome = id,
                       .convo = row_.id,
                       .user = to.user,
                       .ref = to.key_package_ref};
      const bool pending = addressed.at({to.user, to.device}) == &to;
      const std::string_view state = pending ? "pending" : "superseded";
      sums.add(recipient_sum(row, state));
      states.add(state);
      names.add(row.user);
      devices.add(row.pointer.device);
      refs.add(row.ref);
    }
    Call call{insert_recipients, {id, row_.id, event->at}};
    add_all(call.params, sums, names, devices, refs, states);
    auto done = db_.query_all(std::span(&call, 1));
    if (!done) return std::unexpected(done.error());
  }
  return {};
}

}  // namespace catbird::storage::postgres
