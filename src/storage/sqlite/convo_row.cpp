// SPDX-License-Identifier: MIT
#include "storage/sqlite/convo_row.hpp"

#include <array>

namespace catbird::storage::sqlite {

namespace {

constexpr const char* select_by_name =
    "SELECT id, convo_id, group_id, generation, creator, suite, name, created_at, creation_epoch,"
    " epoch, next_seq, first_seq, version, owner_fence, group_info_epoch, last_message_at, members,"
    " checksum FROM conversation WHERE convo_id=?1";
constexpr const char* select_by_row =
    "SELECT id, convo_id, group_id, generation, creator, suite, name, created_at, creation_epoch,"
    " epoch, next_seq, first_seq, version, owner_fence, group_info_epoch, last_message_at, members,"
    " checksum FROM conversation WHERE id=?1";
constexpr const char* insert_row =
    "INSERT INTO conversation (id, convo_id, group_id, generation, creator, suite, name,"
    " created_at, creation_epoch, epoch, next_seq, first_seq, version, owner_fence,"
    " group_info_epoch, last_message_at, members, checksum)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
constexpr const char* update_row =
    "UPDATE conversation SET epoch=?1, next_seq=?2, version=?3, owner_fence=?4,"
    " group_info_epoch=?5, last_message_at=?6, members=?7, checksum=?8"
    " WHERE id=?9 AND convo_id=?10 AND owner_fence=?11 AND owner_fence<=?4 AND version=?12"
    " AND next_seq=?13 AND epoch=?14";

constexpr const char* select_member =
    "SELECT convo, user, admin, join_seq, read_seq, joined_at, promoted_at, left_seq, left_epoch,"
    " left_at, checksum FROM member WHERE convo=?1 AND user=?2";
constexpr const char* select_members =
    "SELECT convo, user, admin, join_seq, read_seq, joined_at, promoted_at, left_seq, left_epoch,"
    " left_at, checksum FROM member WHERE convo=?1 ORDER BY user";
constexpr const char* upsert_member =
    "INSERT INTO member (convo, user, admin, join_seq, read_seq, joined_at, promoted_at, left_seq,"
    " left_epoch, left_at, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
    " ON CONFLICT (convo, user) DO UPDATE SET admin=?3, join_seq=?4, read_seq=?5, joined_at=?6,"
    " promoted_at=?7, left_seq=?8, left_epoch=?9, left_at=?10, checksum=?11";
constexpr const char* select_devices =
    "SELECT convo, user, device, join_seq, checksum FROM member_device WHERE convo=?1"
    " ORDER BY user, device";

constexpr std::size_t convo_columns = 17;
using ConvoValues = std::array<Value, convo_columns>;

ConvoValues values_of(const ConvoRow& row) {
  return {row.id,
          row.convo,
          row.group_id,
          row.generation,
          row.creator,
          row.suite,
          row.name,
          row.created_at,
          row.creation_epoch,
          row.epoch,
          row.last_seq.value + 1,
          row.first_seq,
          row.version,
          row.fence,
          row.group_info_epoch,
          row.last_message_at,
          row.members};
}

ConvoRow convo_of(const Query& query) {
  ConvoRow row;
  row.id = query.integer(0);
  row.convo = core::ConvoId(query.text(1));
  row.group_id = query.bytes(2);
  row.generation = query.number(3);
  row.creator = core::Did(query.text(4));
  row.suite = static_cast<std::uint16_t>(query.integer(5));
  row.name = query.text(6);
  row.created_at = Timestamp(query.integer(7));
  row.creation_epoch = core::Epoch(query.number(8));
  row.epoch = core::Epoch(query.number(9));
  row.last_seq = core::Seq(query.number(10) - 1);
  row.first_seq = core::Seq(query.number(11));
  row.version = core::Version(query.number(12));
  row.fence = core::Fence(query.number(13));
  if (!query.is_null(14)) row.group_info_epoch = core::Epoch(query.number(14));
  if (!query.is_null(15)) row.last_message_at = Timestamp(query.integer(15));
  row.members = query.number(16);
  return row;
}

Result<std::optional<ConvoRow>> one_convo(Query& query) {
  auto found = query.next_of("conversation");
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  return convo_of(query);
}

MemberRow member_of(const Query& query) {
  MemberRow row;
  row.user = core::Did(query.text(1));
  row.admin = query.integer(2) != 0;
  row.join_seq = core::Seq(query.number(3));
  row.read_seq = core::Seq(query.number(4));
  row.joined_at = Timestamp(query.integer(5));
  if (!query.is_null(6)) row.promoted_at = Timestamp(query.integer(6));
  if (!query.is_null(7)) {
    row.left = core::Departure{core::Seq(query.number(7)), core::Epoch(query.number(8)),
                               Timestamp(query.integer(9))};
  }
  return row;
}

}  // namespace

Result<std::optional<ConvoRow>> find_convo(Database& database, const core::ConvoId& convo) {
  Query query = database.query(select_by_name, {convo});
  return one_convo(query);
}

Result<std::optional<ConvoRow>> find_convo(Database& database, RowHandle id) {
  Query query = database.query(select_by_row, {id});
  return one_convo(query);
}

std::int64_t convo_sum(const ConvoRow& row) { return sum_row("conversation", values_of(row)); }

Result<void> insert_convo(Database& database, const ConvoRow& row) {
  const auto columns = values_of(row);
  std::vector<Value> values(columns.begin(), columns.end());
  values.push_back(sum_row("conversation", columns));
  return database.run(insert_row, values);
}

Result<bool> update_convo(Database& database, const ConvoRow& row, const WriteSet& expected) {
  const auto sum = convo_sum(row);
  auto done = database.run(
      update_row, {row.epoch, row.last_seq.value + 1, row.version, row.fence, row.group_info_epoch,
                   row.last_message_at, row.members, sum, row.id, expected.convo, expected.seen,
                   expected.version, expected.last_seq.value + 1, expected.epoch});
  if (!done) return std::unexpected(done.error());
  return database.changes() == 1;
}

Result<std::optional<MemberRow>> find_member(Database& database, RowHandle convo,
                                             const core::Did& user) {
  Query query = database.query(select_member, {convo, user});
  auto found = query.next_of("member");
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  return member_of(query);
}

Result<void> write_member(Database& database, RowHandle convo, const MemberRow& row) {
  std::optional<core::Seq> left_seq;
  std::optional<core::Epoch> left_epoch;
  std::optional<Timestamp> left_at;
  if (row.left) {
    left_seq = row.left->seq;
    left_epoch = row.left->epoch;
    left_at = row.left->at;
  }
  std::array<Value, 11> values = {convo,
                                  row.user,
                                  row.admin,
                                  row.join_seq,
                                  row.read_seq,
                                  row.joined_at,
                                  row.promoted_at,
                                  left_seq,
                                  left_epoch,
                                  left_at,
                                  0};
  values.back() = sum_row("member", std::span(values).first(values.size() - 1));
  return database.run(upsert_member, values);
}

Result<std::vector<MemberRow>> all_members(Database& database, const ConvoRow& convo) {
  std::vector<MemberRow> members;
  members.reserve(convo.members);
  Query query = database.query(select_members, {convo.id});
  while (true) {
    auto row = query.next_of("member");
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    members.push_back(member_of(query));
  }
  if (members.size() != convo.members) return std::unexpected(database.corrupt("member"));
  return members;
}

Result<std::vector<DeviceRow>> all_devices(Database& database, RowHandle convo) {
  std::vector<DeviceRow> devices;
  Query query = database.query(select_devices, {convo});
  while (true) {
    auto row = query.next_of("member_device");
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    devices.push_back({core::Did(query.text(1)), core::DeviceId(query.text(2))});
  }
  return devices;
}

}  // namespace catbird::storage::sqlite
