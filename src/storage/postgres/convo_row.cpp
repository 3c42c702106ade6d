// SPDX-License-Identifier: MIT
#include "storage/postgres/convo_row.hpp"

#include "base/mutant.hpp"

namespace catbird::storage::postgres {

const char* const select_convo =
    "SELECT id, convo_id, group_id, generation, creator, suite, name, created_at, creation_epoch,"
    " epoch, next_seq, first_seq, version, owner_fence, group_info_epoch, last_message_at, members,"
    " head_sum, checksum FROM conversation WHERE convo_id = $1::text";
const char* const select_members =
    "SELECT m.user_did, m.admin, m.join_seq, m.read_seq, m.joined_at, m.promoted_at, m.left_seq,"
    " m.left_epoch, m.left_at, m.read_sum, m.checksum FROM conversation c"
    " JOIN member m ON m.convo = c.id WHERE c.convo_id = $1::text ORDER BY m.user_did";
const char* const select_devices =
    "SELECT d.user_did, d.device, d.join_seq, d.checksum FROM conversation c"
    " JOIN member_device d ON d.convo = c.id WHERE c.convo_id = $1::text"
    " ORDER BY d.user_did, d.device";

namespace {

constexpr const char* select_locked =
    "SELECT id, convo_id, group_id, generation, creator, suite, name, created_at, creation_epoch,"
    " epoch, next_seq, first_seq, version, owner_fence, group_info_epoch, last_message_at, members,"
    " head_sum, checksum FROM conversation WHERE convo_id = ANY($1::text[]) ORDER BY id FOR UPDATE";
constexpr const char* insert_row =
    "INSERT INTO conversation (convo_id, group_id, generation, creator, suite, name, created_at,"
    " creation_epoch, epoch, next_seq, first_seq, version, owner_fence, group_info_epoch,"
    " last_message_at, members, head_sum, checksum) VALUES ($1::text, $2::bytea, $3::bigint,"
    " $4::text, $5::bigint, $6::text, $7::bigint, $8::bigint, $9::bigint, $10::bigint, $11::bigint,"
    " $12::bigint, $13::bigint, $14::bigint, $15::bigint, $16::bigint, $17::bigint, $18::bigint)"
    " RETURNING id";
constexpr const char* update_row =
    "UPDATE conversation SET epoch = $1::bigint, next_seq = $2::bigint, version = $3::bigint,"
    " owner_fence = $4::bigint, group_info_epoch = $5::bigint, last_message_at = $6::bigint,"
    " members = $7::bigint, head_sum = $8::bigint, checksum = $9::bigint WHERE id = $10::bigint"
    " AND convo_id = $11::text AND owner_fence = $12::bigint AND version = $13::bigint"
    " AND next_seq = $14::bigint AND epoch = $15::bigint";
constexpr const char* select_some =
    "SELECT user_did, admin, join_seq, read_seq, joined_at, promoted_at, left_seq, left_epoch,"
    " left_at, read_sum, checksum FROM member WHERE convo = $1::bigint"
    " AND user_did = ANY($2::text[])";
constexpr const char* upsert_members =
    "INSERT INTO member (convo, user_did, admin, join_seq, read_seq, joined_at, promoted_at,"
    " left_seq, left_epoch, left_at, read_sum, checksum)"
    " SELECT $1::bigint, u, a <> 0, j, r, t, p, ls, le, la, rs, s FROM unnest($2::text[],"
    " $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],"
    " $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])"
    " AS m(u, a, j, r, t, p, ls, le, la, rs, s)"
    " ON CONFLICT (convo, user_did) DO UPDATE SET admin = excluded.admin,"
    " join_seq = excluded.join_seq, read_seq = excluded.read_seq, joined_at = excluded.joined_at,"
    " promoted_at = excluded.promoted_at, left_seq = excluded.left_seq,"
    " left_epoch = excluded.left_epoch, left_at = excluded.left_at,"
    " read_sum = excluded.read_sum, checksum = excluded.checksum";

}  // namespace

Result<ConvoRow> convo_of(Connection& connection, const Rows& rows, int at) {
  ConvoRow row;
  row.id = rows.integer(at, 0);
  row.convo = core::ConvoId(rows.text(at, 1));
  row.group_id = rows.bytes(at, 2);
  row.generation = rows.number(at, 3);
  row.creator = core::Did(rows.text(at, 4));
  row.suite = static_cast<std::uint16_t>(rows.integer(at, 5));
  row.name = rows.text(at, 6);
  row.created_at = Timestamp(rows.integer(at, 7));
  row.creation_epoch = core::Epoch(rows.number(at, 8));
  row.epoch = core::Epoch(rows.number(at, 9));
  row.last_seq = core::Seq(rows.number(at, 10) - 1);
  row.first_seq = core::Seq(rows.number(at, 11));
  row.version = core::Version(rows.number(at, 12));
  row.fence = core::Fence(rows.number(at, 13));
  if (!rows.is_null(at, 14)) row.group_info_epoch = core::Epoch(rows.number(at, 14));
  if (!rows.is_null(at, 15)) row.last_message_at = Timestamp(rows.integer(at, 15));
  row.members = rows.number(at, 16);
  if (rows.integer(at, 17) != head_sum(row.convo, head_of(row)) ||
      rows.integer(at, 18) != convo_sum(row)) {
    return std::unexpected(connection.corrupt("conversation"));
  }
  return row;
}

Result<std::optional<ConvoRow>> find_convo(Connection& connection, const core::ConvoId& convo) {
  auto rows = connection.query(select_convo, {convo});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return convo_of(connection, *rows, 0);
}

Result<std::map<core::ConvoId, ConvoRow>> lock_convos(Connection& connection,
                                                      const Column& convo_ids) {
  Params params;
  convo_ids.add_to(params);
  auto rows = connection.query(select_locked, params);
  if (!rows) return std::unexpected(rows.error());
  std::map<core::ConvoId, ConvoRow> found;
  for (int i = 0; i < rows->size(); ++i) {
    auto row = convo_of(connection, *rows, i);
    if (!row) return std::unexpected(row.error());
    auto id = row->convo;
    found.emplace(std::move(id), std::move(*row));
  }
  return found;
}

Result<RowHandle> insert_convo(Connection& connection, const ConvoRow& row) {
  auto rows = connection.query(
      insert_row, {row.convo, row.group_id, row.generation, row.creator, row.suite, row.name,
                   row.created_at, row.creation_epoch, row.epoch, row.last_seq.value + 1,
                   row.first_seq, row.version, row.fence, row.group_info_epoch, row.last_message_at,
                   row.members, head_sum(row.convo, head_of(row)), convo_sum(row)});
  if (!rows) return std::unexpected(rows.error());
  return rows->integer(0, 0);
}

Call update_convo(const ConvoRow& row, const WriteSet& expected) {
  return {update_row,
          {row.epoch, row.last_seq.value + 1, row.version, row.fence, row.group_info_epoch,
           row.last_message_at, row.members, head_sum(row.convo, head_of(row)), convo_sum(row),
           row.id, expected.convo, expected.seen, expected.version, expected.last_seq.value + 1,
           expected.epoch}};
}

Result<MemberRow> member_of(Connection& connection, const Rows& rows, int at, RowHandle convo) {
  MemberRow row;
  row.user = core::Did(rows.text(at, 0));
  row.admin = rows.integer(at, 1) != 0;
  row.join_seq = core::Seq(rows.number(at, 2));
  row.read_seq = core::Seq(rows.number(at, 3));
  row.joined_at = Timestamp(rows.integer(at, 4));
  if (!rows.is_null(at, 5)) row.promoted_at = Timestamp(rows.integer(at, 5));
  if (!rows.is_null(at, 6)) {
    row.left = core::Departure{core::Seq(rows.number(at, 6)), core::Epoch(rows.number(at, 7)),
                               Timestamp(rows.integer(at, 8))};
  }
  if (rows.integer(at, 9) != read_sum(convo, row.user, row.read_seq) ||
      rows.integer(at, 10) != member_sum(convo, row)) {
    return std::unexpected(connection.corrupt("member"));
  }
  return row;
}

Result<Members> find_members(Connection& connection, RowHandle convo, const Column& users) {
  Params params{convo};
  users.add_to(params);
  auto rows = connection.query(select_some, params);
  if (!rows) return std::unexpected(rows.error());
  Members found;
  for (int i = 0; i < rows->size(); ++i) {
    auto row = member_of(connection, *rows, i, convo);
    if (!row) return std::unexpected(row.error());
    auto user = row->user;
    found.emplace(std::move(user), std::move(*row));
  }
  return found;
}

Call write_members(RowHandle convo, const std::vector<const MemberRow*>& rows) {
  using enum Column::Type;
  Column users(text), admin(int8), join(int8), read(int8), joined(int8), promoted(int8);
  Column left_seq(int8), left_epoch(int8), left_at(int8), read_sums(int8), sums(int8);
  for (const auto* row : rows) {
    users.add(row->user);
    admin.add(row->admin);
    join.add(row->join_seq);
    read.add(row->read_seq);
    joined.add(row->joined_at);
    promoted.add(row->promoted_at);
    left_seq.add(row->left ? Value(row->left->seq) : Value(std::nullopt));
    left_epoch.add(row->left ? Value(row->left->epoch) : Value(std::nullopt));
    left_at.add(row->left ? Value(row->left->at) : Value(std::nullopt));
    read_sums.add(read_sum(convo, row->user, row->read_seq));
    sums.add(member_sum(convo, *row));
  }
  Call call{upsert_members, {convo}};
  for (const auto* column : {&users, &admin, &join, &read, &joined, &promoted, &left_seq,
                             &left_epoch, &left_at, &read_sums, &sums}) {
    column->add_to(call.params);
  }
  return call;
}

Result<std::vector<MemberRow>> all_members(Connection& connection, const Rows& rows,
                                           const ConvoRow& convo) {
  std::vector<MemberRow> members;
  members.reserve(convo.members);
  for (int i = 0; i < rows.size(); ++i) {
    auto row = member_of(connection, rows, i, convo.id);
    if (!row) return std::unexpected(row.error());
    members.push_back(std::move(*row));
  }
  if (members.size() != convo.members) return std::unexpected(connection.corrupt("member"));
  return members;
}

Result<DeviceRow> device_of(Connection& connection, const Rows& rows, int at, RowHandle convo) {
  core::DeviceAdded event{core::Did(rows.text(at, 0)), core::DeviceId(rows.text(at, 1)),
                          core::Seq(rows.number(at, 2))};
  if (rows.integer(at, 3) != device_sum(convo, event)) {
    return std::unexpected(connection.corrupt("member_device"));
  }
  return DeviceRow{std::move(event.user), std::move(event.device)};
}

Result<std::vector<DeviceRow>> all_devices(Connection& connection, const Rows& rows,
                                           RowHandle convo) {
  std::vector<DeviceRow> devices;
  for (int i = 0; i < rows.size(); ++i) {
    auto row = device_of(connection, rows, i, convo);
    if (!row) return std::unexpected(row.error());
    devices.push_back(std::move(*row));
  }
  return devices;
}

}  // namespace catbird::storage::postgres
