// SPDX-License-Identifier: MIT
// What an activation loads: state and keys.
#include "core/key_window.hpp"
#include "storage/postgres/batch.hpp"
#include "storage/postgres/message_row.hpp"
#include "storage/postgres/reader.hpp"
#include "storage/postgres/tables.hpp"
#include "storage/rules.hpp"
#include "storage/tables/conversations.hpp"

#include <algorithm>
#include <tuple>

namespace catbird::storage::postgres {

namespace {

constexpr const char* select_convo_locked =
    "SELECT id, convo_id, group_id, generation, creator, suite, name, created_at, creation_epoch,"
    " epoch, next_seq, first_seq, version, owner_fence, group_info_epoch, last_message_at, members,"
    " head_sum, checksum FROM conversation WHERE convo_id = $1::text FOR UPDATE";
constexpr const char* select_message_keys =
    "SELECT convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at, body_sum,"
    " checksum FROM message WHERE convo = (SELECT id FROM conversation WHERE convo_id = $1::text)"
    " AND kind <> 2 ORDER BY seq DESC LIMIT $2::bigint";
constexpr const char* select_message_key =
    "SELECT convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at, body_sum,"
    " checksum FROM message WHERE convo = (SELECT id FROM conversation WHERE convo_id = $1::text)"
    " AND msg_id = $2::text AND kind <> 2";
constexpr const char* select_requests =
    "SELECT convo, id, user_did, method, key, payload, after_seq, seq, epoch, at, detail, checksum"
    " FROM idempotency WHERE convo = (SELECT id FROM conversation WHERE convo_id = $1::text)"
    " ORDER BY after_seq DESC, id DESC LIMIT $2::bigint";
constexpr const char* select_request =
    "SELECT convo, id, user_did, method, key, payload, after_seq, seq, epoch, at, detail, checksum"
    " FROM idempotency WHERE user_did = $1::text AND method = $2::text AND key = $3::text";
constexpr const char* select_heads =
    "SELECT convo_id, epoch, next_seq, version, owner_fence, head_sum FROM conversation"
    " WHERE convo_id = ANY($1::text[])";

template <std::size_t n>
std::array<std::uint8_t, n> array_of(ByteView bytes) {
  std::array<std::uint8_t, n> out{};
  std::copy_n(bytes.begin(), std::min(n, bytes.size()), out.begin());
  return out;
}

/// A key and its place among the conversation's: a message of seq s comes before the requests
/// recorded when s was the newest one, and after those recorded before.
struct PlacedKey {
  core::KnownKey known;
  std::tuple<std::uint64_t, int, std::int64_t> place;
};

Result<PlacedKey> message_key(Connection& db, const Rows& rows, int at) {
  const auto row = message_head(db, rows, at);
  if (!row) return std::unexpected(row.error());
  return PlacedKey{{.key = core::KeyWindow::message_key(row->id),
                    .payload = {},
                    .tag = row->tag,
                    .outcome = {row->seq, row->epoch, row->at, {}}},
                   {row->seq.value, 0, 0}};
}

Result<PlacedKey> request_key(Connection& db, const Rows& rows, int at) {
  const core::Seq after(rows.number(at, 6));
  core::RequestRecorded record{core::Did(rows.text(at, 2)),
                               {rows.text(at, 3), rows.text(at, 4), array_of<32>(rows.blob(at, 5))},
                               {core::Seq(rows.number(at, 7)), core::Epoch(rows.number(at, 8)),
                                Timestamp(rows.integer(at, 9)), rows.text(at, 10)}};
  if (rows.integer(at, 11) != request_sum(rows.integer(at, 0), after, record)) {
    return std::unexpected(db.corrupt("idempotency"));
  }
  return PlacedKey{{.key = core::KeyWindow::request_key(record.user, record.key),
                    .payload = record.key.payload,
                    .tag = {},
                    .outcome = std::move(record.outcome)},
                   {after.value, 1, rows.integer(at, 1)}};
}

using KeyOf = Result<PlacedKey> (*)(Connection&, const Rows&, int);

Result<void> collect(Connection& db, const Rows& rows, KeyOf key_of, std::vector<PlacedKey>& keys) {
  for (int i = 0; i < rows.size(); ++i) {
    auto key = key_of(db, rows, i);
    if (!key) return std::unexpected(key.error());
    keys.push_back(std::move(*key));
  }
  return {};
}

}  // namespace

Result<std::vector<Rows>> PostgresReader::read(std::vector<Call> calls) {
  if (writer_ != nullptr) {
    db_ = writer_;
    return db_->query_all(calls);
  }
  constexpr int tries = 2;
  for (int i = 1;; ++i) {
    auto connection = connector_->get();
    if (!connection) return std::unexpected(connection.error());
    db_ = *connection;
    auto rows = db_->query_all(calls);
    if (rows || !db_->lost() || i == tries) return rows;
  }
}

Result<Rows> PostgresReader::read_one(const char* sql, Params params) {
  std::vector<Call> calls;
  calls.push_back({sql, std::move(params)});
  auto rows = read(std::move(calls));
  if (!rows) return std::unexpected(rows.error());
  return std::move(rows->front());
}

Result<Loaded> PostgresReader::load(const core::ConvoId& convo) {
  const char* own = writer_ != nullptr ? select_convo_locked : select_convo;
  const Selection its{.where = {where("convo_id", convo)}};
  auto rows = read({{own, {convo}},
                    {select_members, {convo}},
                    {select_devices, {convo}},
                    select_call(PolicyRecord::table(), its),
                    select_call(ModeratorRecord::table(), its)});
  if (!rows) return std::unexpected(rows.error());
  if ((*rows)[0].empty()) return Loaded{};
  auto row = convo_of(db(), (*rows)[0], 0);
  if (!row) return std::unexpected(row.error());
  auto members = all_members(db(), (*rows)[1], *row);
  if (!members) return std::unexpected(members.error());
  auto devices = all_devices(db(), (*rows)[2], row->id);
  if (!devices) return std::unexpected(devices.error());

  Loaded loaded;
  loaded.row = row->id;
  loaded.fence = row->fence;
  loaded.version = row->version;
  auto& state = loaded.state;
  state.exists = true;
  state.group_id = row->group_id;
  state.creator = row->creator;
  state.suite = row->suite;
  state.created_at = row->created_at;
  state.creation_epoch = row->creation_epoch;
  state.epoch = row->epoch;
  state.last_seq = row->last_seq;
  state.group_info_epoch = row->group_info_epoch;
  std::size_t text_bytes = 0;
  for (const auto& member : *members) text_bytes += member.user.value.size();
  for (const auto& one : *devices) text_bytes += one.device.value.size();
  state.members.reserve(members->size(), devices->size(), text_bytes);
  auto device = devices->begin();
  for (auto& member : *members) {
    core::Member out{.user = member.user,
                     .admin = member.admin,
                     .join_seq = member.join_seq,
                     .left = member.left,
                     .read_seq = member.read_seq,
                     .devices = {}};
    while (device != devices->end() && device->user == member.user) {
      out.devices.push_back(std::move((device++)->device));
    }
    state.members.add(out);
  }
  // Both lists are sorted by user: a device left over belongs to nobody.
  if (device != devices->end()) return std::unexpected(db().corrupt("member_device"));
  auto policy = table_reader().rows_of(PolicyRecord::table(), (*rows)[3]);
  if (!policy) return std::unexpected(policy.error());
  auto moderators = table_reader().rows_of(ModeratorRecord::table(), (*rows)[4]);
  if (!moderators) return std::unexpected(moderators.error());
  if (auto governed = add_governance(std::move(*policy), std::move(*moderators), state);
      !governed) {
    return std::unexpected(governed.error());
  }
  return loaded;
}

Result<Reader::Keys> PostgresReader::load_keys(const core::ConvoId& convo, std::size_t max) {
  const auto limit = clamped(max == SIZE_MAX ? max : max + 1);
  auto rows = read({{select_message_keys, {convo, limit}}, {select_requests, {convo, limit}}});
  if (!rows) return std::unexpected(rows.error());
  std::vector<PlacedKey> keys;
  if (auto done = collect(db(), (*rows)[0], message_key, keys); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = collect(db(), (*rows)[1], request_key, keys); !done) {
    return std::unexpected(done.error());
  }
  std::ranges::sort(keys, std::ranges::greater{}, &PlacedKey::place);
  Keys result;
  result.complete = keys.size() <= max;
  if (keys.size() > max) keys.resize(max);
  for (auto& key : keys) result.keys.push_back(std::move(key.known));
  return result;
}

Result<std::optional<core::KnownKey>> PostgresReader::find_key(const core::ConvoId& convo,
                                                               const std::string& key) {
  const auto name = parse_key(key);
  if (!name) return std::nullopt;
  auto rows = name->id ? read_one(select_message_key, {convo, *name->id})
                       : read_one(select_request, {name->user, name->method, name->key});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  auto found = name->id ? message_key(db(), *rows, 0) : request_key(db(), *rows, 0);
  if (!found) return std::unexpected(found.error());
  return std::move(found->known);
}

Result<std::vector<Standing>> PostgresReader::standings(std::span<const core::ConvoId> convos) {
  Column names(Column::Type::text);
  for (const auto& convo : convos) names.add(convo);
  Params params;
  names.add_to(params);
  auto rows = read_one(select_heads, std::move(params));
  if (!rows) return std::unexpected(rows.error());
  std::vector<Standing> found;
  for (int i = 0; i < rows->size(); ++i) {
    const core::ConvoId convo(rows->text(i, 0));
    const Head head{core::Epoch(rows->number(i, 1)), core::Seq(rows->number(i, 2) - 1),
                    core::Version(rows->number(i, 3)), core::Fence(rows->number(i, 4))};
    if (rows->integer(i, 5) != head_sum(convo, head)) {
      return std::unexpected(db().corrupt("conversation"));
    }
    found.push_back({convo, head.fence, head.version});
  }
  return found;
}

}  // namespace catbird::storage::postgres
