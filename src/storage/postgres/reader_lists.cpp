// SPDX-License-Identifier: MIT
// What a user has: conversations, Welcomes, key packages.
#include "storage/postgres/package_row.hpp"
#include "storage/postgres/reader.hpp"
#include "storage/rules.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace catbird::storage::postgres {

namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
/// Conversations whose rosters are fetched at a time; the byte bound may end the listing before.
constexpr std::int64_t listing_chunk = 200;

constexpr const char* commit = "COMMIT";
constexpr const char* select_listed =
    "SELECT c.id, c.convo_id, c.group_id, c.generation, c.creator, c.suite, c.name, c.created_at,"
    " c.creation_epoch, c.epoch, c.next_seq, c.first_seq, c.version, c.owner_fence,"
    " c.group_info_epoch, c.last_message_at, c.members, c.head_sum, c.checksum"
    " FROM member m JOIN conversation c ON c.id = m.convo WHERE m.user_did = $1::text"
    " AND m.left_seq IS NULL AND c.convo_id > $2::text ORDER BY c.convo_id LIMIT $3::bigint";
constexpr const char* select_members_of =
    "SELECT user_did, admin, join_seq, read_seq, joined_at, promoted_at, left_seq, left_epoch,"
    " left_at, read_sum, checksum, convo FROM member WHERE convo = ANY($1::bigint[])"
    " ORDER BY convo, user_did";
constexpr const char* select_devices_of =
    "SELECT user_did, device, join_seq, checksum, convo FROM member_device"
    " WHERE convo = ANY($1::bigint[]) ORDER BY convo, user_did, device";
constexpr const char* count_unread =
    "SELECT u.convo, (SELECT count(*) FROM message m WHERE m.convo = u.convo AND m.kind = 1"
    " AND m.seq > u.after AND m.sender_tag <> u.tag) FROM unnest($1::bigint[], $2::bigint[],"
    " $3::bytea[]) AS u(convo, after, tag)";
constexpr const char* select_windows =
    "SELECT m.user_did, m.admin, m.join_seq, m.read_seq, m.joined_at, m.promoted_at, m.left_seq,"
    " m.left_epoch, m.left_at, m.read_sum, m.checksum, c.id, c.convo_id FROM member m"
    " JOIN conversation c ON c.id = m.convo WHERE m.user_did = $1::text AND m.left_seq IS NULL"
    " ORDER BY c.convo_id";
constexpr const char* select_group_info =
    "SELECT convo, epoch, at, body_sum, checksum, body FROM group_info"
    " WHERE convo = (SELECT id FROM conversation WHERE convo_id = $1::text)";
constexpr const char* select_welcome =
    "SELECT convo, epoch, at, body_sum, checksum, body FROM welcome WHERE id = $1::bigint";
constexpr const char* count_packages =
    "SELECT suite, count(*),"
    " count(*) FILTER (WHERE state <> 'consumed' AND not_after > $2::bigint"
    " AND coalesce(reserved_until, 0) <= $2::bigint),"
    " count(*) FILTER (WHERE state <> 'consumed' AND not_after > $2::bigint"
    " AND coalesce(reserved_until, 0) > $2::bigint),"
    " count(*) FILTER (WHERE state = 'consumed'),"
    " count(*) FILTER (WHERE state = 'consumed' AND $2::bigint - consumed_at < $3::bigint),"
    " count(*) FILTER (WHERE state = 'consumed' AND $2::bigint - consumed_at < $4::bigint),"
    " min(not_after) FILTER (WHERE state <> 'consumed' AND not_after > $2::bigint"
    " AND coalesce(reserved_until, 0) <= $2::bigint)"
    " FROM key_package WHERE user_did = $1::text GROUP BY suite ORDER BY suite";

Call with_ids(const char* sql, const std::vector<ConvoRow>& convos) {
  Column ids(Column::Type::int8);
  for (const auto& convo : convos) ids.add(convo.id);
  Call call{sql, {}};
  ids.add_to(call.params);
  return call;
}

}  // namespace

ListScope::~ListScope() {
  if (own_ && !db_.lost() && db_.in_transaction()) {
    [[maybe_unused]] const auto ended = db_.query(commit);
  }
}

const char* PostgresReader::opening() const { return writer_ != nullptr ? "SELECT" : "BEGIN"; }

Result<ConvoPage> PostgresReader::convos(const ConvoQuery& query) {
  const std::int64_t wanted = query.rows_max == 0 ? INT64_MAX : clamped(query.rows_max) + 1;
  std::string after = query.after ? query.after->value : std::string();
  ConvoPage page;
  std::size_t bytes = 0;
  std::int64_t seen = 0;
  auto chunk = std::min(listing_chunk, wanted);
  auto rows = read({{opening(), {}}, {select_listed, {query.user, after, chunk}}});
  if (!rows) return std::unexpected(rows.error());
  const ListScope scope(db(), writer_ == nullptr);
  auto listed = std::move((*rows)[1]);
  while (!listed.empty()) {
    std::vector<ConvoRow> convos;
    for (int i = 0; i < listed.size(); ++i) {
      auto row = convo_of(db(), listed, i);
      if (!row) return std::unexpected(row.error());
      convos.push_back(std::move(*row));
    }
    auto views = views_of(convos, query);
    if (!views) return std::unexpected(views.error());
    for (auto& view : *views) {
      page.more = query.rows_max != 0 && page.convos.size() >= query.rows_max;
      if (page.more) return page;
      bytes += json_bytes(view);
      page.more = query.bytes_max != 0 && !page.convos.empty() && bytes > query.bytes_max;
      if (page.more) return page;
      page.convos.push_back(std::move(view));
    }
    seen += listed.size();
    if (listed.size() < chunk || seen >= wanted) return page;
    after = convos.back().convo.value;
    chunk = std::min(listing_chunk, wanted - seen);
    auto next = db().query(select_listed, {query.user, after, chunk});
    if (!next) return std::unexpected(next.error());
    listed = std::move(*next);
  }
  return page;
}

Result<std::vector<ConvoView>> PostgresReader::views_of(const std::vector<ConvoRow>& convos,
                                                        const ConvoQuery& query) {
  const Call calls[] = {with_ids(select_members_of, convos), with_ids(select_devices_of, convos)};
  auto rows = db().query_all(calls);
  if (!rows) return std::unexpected(rows.error());
  std::map<RowHandle, std::vector<MemberRow>> members;
  for (int i = 0; i < (*rows)[0].size(); ++i) {
    const auto convo = (*rows)[0].integer(i, 11);
    auto row = member_of(db(), (*rows)[0], i, convo);
    if (!row) return std::unexpected(row.error());
    members[convo].push_back(std::move(*row));
  }
  std::map<RowHandle, std::vector<DeviceRow>> devices;
  for (int i = 0; i < (*rows)[1].size(); ++i) {
    const auto convo = (*rows)[1].integer(i, 4);
    auto row = device_of(db(), (*rows)[1], i, convo);
    if (!row) return std::unexpected(row.error());
    devices[convo].push_back(std::move(*row));
  }
  std::vector<ConvoView> views;
  std::vector<core::Seq> read;
  for (const auto& convo : convos) {
    auto view = view_of(convo, members[convo.id], devices[convo.id]);
    if (!view) return std::unexpected(view.error());
    const auto& of = members[convo.id];
    const auto me = std::ranges::find(of, query.user, &MemberRow::user);
    if (me == of.end() || me->left) return std::unexpected(db().corrupt("member"));
    // What has expired can no longer be read.
    const core::Seq expired(convo.first_seq.value - 1);
    read.push_back(std::max({me->read_seq, me->join_seq, expired}));
    views.push_back(std::move(*view));
  }
  if (auto done = add_unread(convos, read, query, views); !done) {
    return std::unexpected(done.error());
  }
  return views;
}

Result<ConvoView> PostgresReader::view_of(const ConvoRow& row,
                                          const std::vector<MemberRow>& members,
                                          std::vector<DeviceRow>& devices) {
  if (members.size() != row.members) return std::unexpected(db().corrupt("member"));
  ConvoView view{.id = row.convo,
                 .group_id = row.group_id,
                 .creator = row.creator,
                 .suite = row.suite,
                 .name = row.name,
                 .epoch = row.epoch,
                 .created_at = row.created_at,
                 .last_message_at = row.last_message_at,
                 .members = {},
                 .unread = 0};
  auto device = devices.begin();
  for (const auto& member : members) {
    if (member.left) continue;
    MemberView one{member.user, member.admin, member.joined_at, member.promoted_at, {}};
    // Departed members have no devices, so both lists advance together.
    while (device != devices.end() && device->user == member.user) {
      one.devices.push_back(std::move((device++)->device));
    }
    view.members.push_back(std::move(one));
  }
  if (device != devices.end()) return std::unexpected(db().corrupt("member_device"));
  return view;
}

Result<void> PostgresReader::add_unread(const std::vector<ConvoRow>& convos,
                                        const std::vector<core::Seq>& read, const ConvoQuery& query,
                                        std::vector<ConvoView>& views) {
  using enum Column::Type;
  Column ids(int8), after(int8), tags(bytea);
  std::map<RowHandle, std::size_t> places;
  for (std::size_t i = 0; i < convos.size(); ++i) {
    if (read[i] >= convos[i].last_seq) continue;
    const auto mine = query.tag ? query.tag(convos[i].convo) : core::SenderTag{};
    places.emplace(convos[i].id, i);
    ids.add(convos[i].id);
    after.add(read[i]);
    tags.add(mine);
  }
  if (places.empty()) return {};
  Params params;
  for (const auto* column : {&ids, &after, &tags}) column->add_to(params);
  auto counts = db().query(count_unread, params);
  if (!counts) return std::unexpected(counts.error());
  for (int i = 0; i < counts->size(); ++i) {
    views[places.at(counts->integer(i, 0))].unread = counts->number(i, 1);
  }
  return {};
}

Result<std::vector<Window>> PostgresReader::windows(const core::Did& user) {
  auto rows = read_one(select_windows, {user});
  if (!rows) return std::unexpected(rows.error());
  std::vector<Window> found;
  for (int i = 0; i < rows->size(); ++i) {
    auto me = member_of(db(), *rows, i, rows->integer(i, 11));
    if (!me) return std::unexpected(me.error());
    found.push_back({core::ConvoId(rows->text(i, 12)), me->join_seq});
  }
  return found;
}

Result<std::optional<GroupInfoView>> PostgresReader::group_info(const core::ConvoId& convo) {
  auto rows = read({{select_convo, {convo}}, {select_group_info, {convo}}});
  if (!rows) return std::unexpected(rows.error());
  if ((*rows)[0].empty()) return std::nullopt;
  auto row = convo_of(db(), (*rows)[0], 0);
  if (!row) return std::unexpected(row.error());
  const auto& found = (*rows)[1];
  if (found.empty() == row->group_info_epoch.has_value()) {
    return std::unexpected(db().corrupt("group_info"));
  }
  if (found.empty()) return std::nullopt;
  auto body = blob_of("group_info", found);
  if (!body) return std::unexpected(body.error());
  return GroupInfoView{std::move(*body), core::Epoch(found.number(0, 1)),
                       Timestamp(found.integer(0, 2))};
}

/// The body of a group_info or welcome row.
Result<Blob> PostgresReader::blob_of(std::string_view table, const Rows& rows) {
  const auto sum = rows.integer(0, 3);
  if (rows.integer(0, 4) != blob_sum(table, rows.integer(0, 0), core::Epoch(rows.number(0, 1)),
                                     Timestamp(rows.integer(0, 2)), sum) ||
      sum_of(rows.blob(0, 5)) != sum) {
    return std::unexpected(db().corrupt(table));
  }
  return make_blob(rows.bytes(0, 5));
}

Result<std::optional<WelcomeView>> PostgresReader::welcome(const core::ConvoId& convo,
                                                           const core::Caller& device,
                                                           Timestamp now) {
  auto found = read({{opening(), {}}, {select_convo, {convo}}});
  if (!found) return std::unexpected(found.error());
  const ListScope scope(db(), writer_ == nullptr);
  if ((*found)[1].empty()) return std::nullopt;
  auto row = convo_of(db(), (*found)[1], 0);
  if (!row) return std::unexpected(row.error());
  Column users(Column::Type::text);
  users.add(device.user);
  auto recipients = recipients_of(db(), row->id, users);
  if (!recipients) return std::unexpected(recipients.error());
  std::vector<WelcomePointer> pointers;
  for (const auto& one : *recipients) pointers.push_back(one.pointer);
  const auto chosen = choose_welcome(pointers, device.device, now);
  if (!chosen) return std::nullopt;
  auto rows = db().query(select_welcome, {(*recipients)[*chosen].welcome});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::unexpected(db().corrupt("welcome"));
  auto body = blob_of("welcome", *rows);
  if (!body) return std::unexpected(body.error());
  return WelcomeView{std::move(*body), core::Epoch(rows->number(0, 1))};
}

Result<std::vector<KeyPackageFacts>> PostgresReader::find_key_packages(
    const std::vector<Bytes>& ids, Timestamp now) {
  Column names(Column::Type::bytea);
  for (const auto& id : ids) names.add(id);
  auto begun = read_one(opening(), {});
  if (!begun) return std::unexpected(begun.error());
  const ListScope scope(db(), writer_ == nullptr);
  auto by_ref = packages_by(db(), PackageName::ref, names);
  if (!by_ref) return std::unexpected(by_ref.error());
  auto by_hash = packages_by(db(), PackageName::hash, names);
  if (!by_hash) return std::unexpected(by_hash.error());
  std::vector<KeyPackageFacts> facts;
  for (const auto& id : ids) {
    auto found = std::ranges::find(*by_ref, id, &PackageRow::ref);
    if (found == by_ref->end()) {
      found = std::ranges::find(*by_hash, id, &PackageRow::hash);
      if (found == by_hash->end()) continue;
    }
    const auto& row = *found;
    facts.push_back({row.ref, row.hash, row.user, row.state.device, row.suite,
                     row.state.last_resort, row.consumed_at.has_value(),
                     row.state.reserved_at(now) ? row.state.reserved_by : std::nullopt});
  }
  return facts;
}

Result<std::vector<SuiteStats>> PostgresReader::key_package_stats(const core::Did& user,
                                                                  Timestamp now) {
  auto rows = read_one(count_packages, {user, now, day_ms, 7 * day_ms});
  if (!rows) return std::unexpected(rows.error());
  std::vector<SuiteStats> stats;
  for (int i = 0; i < rows->size(); ++i) {
    SuiteStats one;
    one.suite = static_cast<std::uint16_t>(rows->integer(i, 0));
    one.total = rows->number(i, 1);
    one.available = rows->number(i, 2);
    one.reserved = rows->number(i, 3);
    one.consumed = rows->number(i, 4);
    one.consumed_24h = rows->number(i, 5);
    one.consumed_7d = rows->number(i, 6);
    if (!rows->is_null(i, 7)) one.oldest_expiry = Timestamp(rows->integer(i, 7));
    stats.push_back(one);
  }
  return stats;
}

Result<std::vector<PackageView>> PostgresReader::packages(const PackageQuery& query) {
  auto call = select_packages_of(query);
  auto found = read_one(call.sql, std::move(call.params));
  if (!found) return std::unexpected(found.error());
  auto rows = packages_of(db(), *found);
  if (!rows) return std::unexpected(rows.error());
  std::vector<PackageView> views;
  for (const auto& row : *rows) views.push_back(package_view(row, query.now));
  return views;
}

}  // namespace catbird::storage::postgres
