// SPDX-License-Identifier: MIT
// What an activation loads: state and keys.
#include "core/key_window.hpp"
#include "storage/rules.hpp"
#include "storage/sqlite/reader.hpp"
#include "storage/tables/conversations.hpp"

#include <algorithm>
#include <tuple>

namespace catbird::storage::sqlite {

namespace {

constexpr const char* select_message_keys =
    "SELECT position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at,"
    " body_sum, checksum FROM message WHERE convo=?1 AND kind<>2 ORDER BY seq DESC LIMIT ?2";
constexpr const char* select_message_key =
    "SELECT position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at,"
    " body_sum, checksum FROM message WHERE convo=?1 AND msg_id=?2 AND kind<>2";
constexpr const char* select_requests =
    "SELECT id, user, method, key, payload, convo, after_seq, seq, epoch, at, detail, checksum"
    " FROM idempotency WHERE convo=?1 ORDER BY after_seq DESC, id DESC LIMIT ?2";
constexpr const char* select_request =
    "SELECT id, user, method, key, payload, convo, after_seq, seq, epoch, at, detail, checksum"
    " FROM idempotency WHERE user=?1 AND method=?2 AND key=?3";

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

PlacedKey message_key(const Query& query) {
  const core::MsgId id(query.text(5));
  const core::Seq seq(query.number(2));
  return {{.key = core::KeyWindow::message_key(id),
           .payload = {},
           .tag = array_of<16>(query.blob(7)),
           .outcome = {seq, core::Epoch(query.number(3)), Timestamp(query.integer(9)), {}}},
          {seq.value, 0, 0}};
}

PlacedKey request_key(const Query& query) {
  core::RequestKey key{query.text(2), query.text(3), array_of<32>(query.blob(4))};
  return {{.key = core::KeyWindow::request_key(core::Did(query.text(1)), key),
           .payload = key.payload,
           .tag = {},
           .outcome = {core::Seq(query.number(7)), core::Epoch(query.number(8)),
                       Timestamp(query.integer(9)), query.text(10)}},
          {query.number(6), 1, query.integer(0)}};
}

Result<void> collect(Query query, std::string_view table, std::vector<PlacedKey>& keys) {
  while (true) {
    auto row = query.next_of(table);
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    keys.push_back(table == "message" ? message_key(query) : request_key(query));
  }
}

Result<std::optional<core::KnownKey>> single(Query query, std::string_view table) {
  auto row = query.next_of(table);
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  return (table == "message" ? message_key(query) : request_key(query)).known;
}

}  // namespace

Result<Loaded> SqliteReader::load(const core::ConvoId& convo) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto found = find_convo(*db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return Loaded{};
  const auto& row = **found;
  auto members = all_members(*db_, row);
  if (!members) return std::unexpected(members.error());
  auto devices = all_devices(*db_, row.id);
  if (!devices) return std::unexpected(devices.error());

  Loaded loaded;
  loaded.row = row.id;
  loaded.fence = row.fence;
  loaded.version = row.version;
  auto& state = loaded.state;
  state.exists = true;
  state.group_id = row.group_id;
  state.creator = row.creator;
  state.suite = row.suite;
  state.created_at = row.created_at;
  state.creation_epoch = row.creation_epoch;
  state.epoch = row.epoch;
  state.last_seq = row.last_seq;
  state.group_info_epoch = row.group_info_epoch;
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
  if (device != devices->end()) return std::unexpected(db_->corrupt("member_device"));
  SqliteTables tables(*db_);
  if (auto governed = load_governance(tables, convo, state); !governed) {
    return std::unexpected(governed.error());
  }
  return loaded;
}

Result<std::vector<Standing>> SqliteReader::standings(std::span<const core::ConvoId> convos) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  std::vector<Standing> found;
  for (const auto& convo : convos) {
    auto row = find_convo(*db_, convo);
    if (!row) return std::unexpected(row.error());
    if (*row) found.push_back({convo, (*row)->fence, (*row)->version});
  }
  return found;
}

Result<Reader::Keys> SqliteReader::load_keys(const core::ConvoId& convo, std::size_t max) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto found = find_convo(*db_, convo);
  if (!found) return std::unexpected(found.error());
  Keys result;
  result.complete = true;
  if (!*found) return result;
  const auto limit = clamped(max == SIZE_MAX ? max : max + 1);
  std::vector<PlacedKey> keys;
  const auto id = (*found)->id;
  for (auto [sql, table] :
       {std::pair(select_message_keys, "message"), std::pair(select_requests, "idempotency")}) {
    if (auto done = collect(db_->query(sql, {id, limit}), table, keys); !done) {
      return std::unexpected(done.error());
    }
  }
  std::ranges::sort(keys, std::ranges::greater{}, &PlacedKey::place);
  result.complete = keys.size() <= max;
  if (keys.size() > max) keys.resize(max);
  for (auto& key : keys) result.keys.push_back(std::move(key.known));
  return result;
}

Result<std::optional<core::KnownKey>> SqliteReader::find_key(const core::ConvoId& convo,
                                                             const std::string& key) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  const auto name = parse_key(key);
  if (!name) return std::nullopt;
  if (!name->id) {
    return single(db_->query(select_request, {name->user, name->method, name->key}), "idempotency");
  }
  auto found = find_convo(*db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  return single(db_->query(select_message_key, {(*found)->id, *name->id}), "message");
}

}  // namespace catbird::storage::sqlite
