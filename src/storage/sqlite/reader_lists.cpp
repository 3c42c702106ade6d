// SPDX-License-Identifier: MIT
// What a user has: conversations, Welcomes, key packages.
#include "storage/rules.hpp"
#include "storage/sqlite/package_row.hpp"
#include "storage/sqlite/reader.hpp"
#include "storage/sqlite/recipient_row.hpp"

#include <algorithm>

namespace catbird::storage::sqlite {

namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

constexpr const char* select_convos =
    "SELECT c.id, c.convo_id FROM member m JOIN conversation c ON c.id=m.convo"
    " WHERE m.user=?1 AND m.left_seq IS NULL AND c.convo_id>?2 ORDER BY c.convo_id LIMIT ?3";
constexpr const char* count_unread =
    "SELECT count(*) FROM message WHERE convo=?1 AND kind=1 AND seq>?2 AND sender_tag<>?3";
constexpr const char* select_group_info =
    "SELECT convo, epoch, at, body_sum, checksum, body FROM group_info WHERE convo=?1";
constexpr const char* select_welcome =
    "SELECT id, convo, epoch, at, body_sum, checksum, body FROM welcome WHERE id=?1";
// Answered from the index alone, like the next one.
constexpr const char* count_packages =
    "SELECT suite, count(*),"
    " sum(state<>'consumed' AND not_after>?2 AND coalesce(reserved_until, 0)<=?2),"
    " sum(state<>'consumed' AND not_after>?2 AND coalesce(reserved_until, 0)>?2),"
    " sum(state='consumed'),"
    " sum(state='consumed' AND ?2-consumed_at<?3),"
    " sum(state='consumed' AND ?2-consumed_at<?4),"
    " min(iif(state<>'consumed' AND not_after>?2 AND coalesce(reserved_until, 0)<=?2,"
    " not_after, NULL))"
    " FROM key_package WHERE user=?1 GROUP BY suite ORDER BY suite";

struct Listed {
  RowHandle id = 0;
  core::ConvoId convo;
};

Result<std::vector<Listed>> list(Database& database, const core::Did& user,
                                 const std::string& after, std::int64_t limit) {
  std::vector<Listed> listed;
  Query query = database.query(select_convos, {user, after, limit});
  while (true) {
    auto row = query.next();
    if (!row) return std::unexpected(row.error());
    if (!*row) return listed;
    listed.push_back({query.integer(0), core::ConvoId(query.text(1))});
  }
}

}  // namespace

Result<ConvoPage> SqliteReader::convos(const ConvoQuery& query) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  const auto limit = query.rows_max == 0 ? INT64_MAX : clamped(query.rows_max) + 1;
  const std::string after = query.after ? query.after->value : std::string();
  auto listed = list(*db_, query.user, after, limit);
  if (!listed) return std::unexpected(listed.error());

  ConvoPage page;
  std::size_t bytes = 0;
  for (const auto& one : *listed) {
    page.more = query.rows_max != 0 && page.convos.size() >= query.rows_max;
    if (page.more) break;
    auto convo = view(one.id, query);
    if (!convo) return std::unexpected(convo.error());
    bytes += json_bytes(*convo);
    page.more = query.bytes_max != 0 && !page.convos.empty() && bytes > query.bytes_max;
    if (page.more) break;
    page.convos.push_back(std::move(*convo));
  }
  return page;
}

Result<ConvoView> SqliteReader::view(RowHandle id, const ConvoQuery& query) {
  auto found = find_convo(*db_, id);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::unexpected(db_->corrupt("conversation"));
  const auto& row = **found;
  auto members = all_members(*db_, row);
  if (!members) return std::unexpected(members.error());
  auto devices = all_devices(*db_, id);
  if (!devices) return std::unexpected(devices.error());

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
  const MemberRow* me = nullptr;
  auto device = devices->begin();
  for (const auto& member : *members) {
    if (member.left) continue;
    if (member.user == query.user) me = &member;
    MemberView one{member.user, member.admin, member.joined_at, member.promoted_at, {}};
    // Departed members have no devices, so both lists advance together.
    while (device != devices->end() && device->user == member.user) {
      one.devices.push_back(std::move((device++)->device));
    }
    view.members.push_back(std::move(one));
  }
  if (me == nullptr) return std::unexpected(db_->corrupt("member"));
  if (device != devices->end()) return std::unexpected(db_->corrupt("member_device"));
  const auto mine = query.tag ? query.tag(row.convo) : core::SenderTag{};
  auto count = unread(row, *me, mine);
  if (!count) return std::unexpected(count.error());
  view.unread = *count;
  return view;
}

Result<std::uint64_t> SqliteReader::unread(const ConvoRow& convo, const MemberRow& me,
                                           const core::SenderTag& mine) {
  // What has expired can no longer be read.
  const core::Seq expired(convo.first_seq.value - 1);
  const auto after = std::max({me.read_seq, me.join_seq, expired});
  if (after >= convo.last_seq) return 0;
  Query query = db_->query(count_unread, {convo.id, after, mine});
  auto row = query.next();
  if (!row) return std::unexpected(row.error());
  return query.number(0);
}

Result<std::vector<Window>> SqliteReader::windows(const core::Did& user) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto listed = list(*db_, user, {}, INT64_MAX);
  if (!listed) return std::unexpected(listed.error());
  std::vector<Window> found;
  found.reserve(listed->size());
  for (auto& one : *listed) {
    auto me = find_member(*db_, one.id, user);
    if (!me) return std::unexpected(me.error());
    if (!*me || (*me)->left) return std::unexpected(db_->corrupt("member"));
    found.push_back({std::move(one.convo), (*me)->join_seq});
  }
  return found;
}

Result<std::optional<GroupInfoView>> SqliteReader::group_info(const core::ConvoId& convo) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto found = find_convo(*db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  Query query = db_->query(select_group_info, {(*found)->id});
  auto row = query.next_of("group_info");
  if (!row) return std::unexpected(row.error());
  if (*row != (*found)->group_info_epoch.has_value()) {
    return std::unexpected(db_->corrupt("group_info"));
  }
  if (!*row) return std::nullopt;
  return GroupInfoView{make_blob(query.bytes(5)), core::Epoch(query.number(1)),
                       Timestamp(query.integer(2))};
}

Result<std::optional<WelcomeView>> SqliteReader::welcome(const core::ConvoId& convo,
                                                         const core::Caller& device,
                                                         Timestamp now) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto found = find_convo(*db_, convo);
  if (!found) return std::unexpected(found.error());
  if (!*found) return std::nullopt;
  auto rows = recipients_of(*db_, (*found)->id, device.user);
  if (!rows) return std::unexpected(rows.error());
  std::vector<WelcomePointer> pointers;
  for (const auto& row : *rows) pointers.push_back(row.pointer);
  const auto chosen = choose_welcome(pointers, device.device, now);
  if (!chosen) return std::nullopt;
  Query query = db_->query(select_welcome, {(*rows)[*chosen].welcome});
  auto row = query.next_of("welcome");
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::unexpected(db_->corrupt("welcome"));
  return WelcomeView{make_blob(query.bytes(6)), core::Epoch(query.number(2))};
}

Result<std::vector<KeyPackageFacts>> SqliteReader::find_key_packages(const std::vector<Bytes>& ids,
                                                                     Timestamp now) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  std::vector<KeyPackageFacts> facts;
  for (const auto& id : ids) {
    auto found = package_by_ref(*db_, id);
    if (found && !*found) found = package_by_hash(*db_, id);
    if (!found) return std::unexpected(found.error());
    if (!*found) continue;
    auto& row = **found;
    facts.push_back({row.ref, row.hash, row.user, row.state.device, row.suite,
                     row.state.last_resort, row.consumed_at.has_value(),
                     row.state.reserved_at(now) ? row.state.reserved_by : std::nullopt});
  }
  return facts;
}

Result<std::vector<SuiteStats>> SqliteReader::key_package_stats(const core::Did& user,
                                                                Timestamp now) {
  std::vector<SuiteStats> stats;
  Query query = db_->query(count_packages, {user, now, day_ms, 7 * day_ms});
  while (true) {
    auto row = query.next();
    if (!row) return std::unexpected(row.error());
    if (!*row) return stats;
    SuiteStats one;
    one.suite = static_cast<std::uint16_t>(query.integer(0));
    one.total = query.number(1);
    one.available = query.number(2);
    one.reserved = query.number(3);
    one.consumed = query.number(4);
    one.consumed_24h = query.number(5);
    one.consumed_7d = query.number(6);
    if (!query.is_null(7)) one.oldest_expiry = Timestamp(query.integer(7));
    stats.push_back(one);
  }
}

Result<std::vector<PackageView>> SqliteReader::packages(const PackageQuery& query) {
  auto rows = packages_of(*db_, query);
  if (!rows) return std::unexpected(rows.error());
  std::vector<PackageView> views;
  for (const auto& row : *rows) views.push_back(package_view(row, query.now));
  return views;
}

}  // namespace catbird::storage::sqlite
