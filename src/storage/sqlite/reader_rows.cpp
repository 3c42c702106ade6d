// SPDX-License-Identifier: MIT
// The history: pages, commits, and the log across conversations.
#include "storage/rules.hpp"
#include "storage/sqlite/reader.hpp"

#include <algorithm>

namespace catbird::storage::sqlite {

namespace {

constexpr const char* select_page =
    "SELECT position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at,"
    " body_sum, checksum, body FROM message WHERE convo=?1 AND seq>?2 AND seq<=?3 ORDER BY seq";
constexpr const char* select_commits =
    "SELECT position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at,"
    " body_sum, checksum, body FROM message WHERE convo=?1 AND base_epoch>=?2 AND base_epoch<=?3"
    " AND base_epoch IS NOT NULL AND seq>?4 AND seq<=?5 ORDER BY base_epoch";
constexpr const char* select_at_position =
    "SELECT position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at,"
    " body_sum, checksum, body FROM message WHERE position=?1";
constexpr const char* select_head =
    "SELECT position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at,"
    " body_sum, checksum FROM message WHERE convo=?1 AND msg_id=?2";
// Answered from the index on (convo, seq) alone.
constexpr const char* select_position = "SELECT position FROM message WHERE convo=?1 AND seq=?2";
constexpr const char* select_positions =
    "SELECT position FROM message WHERE convo=?1 AND seq>=?2 ORDER BY seq LIMIT ?3";
constexpr const char* select_newest =
    "SELECT max(position) FROM (SELECT max(position) AS position FROM message UNION ALL"
    " SELECT max(position) FROM notice)";

constexpr int body_column = 12;

Row row_of(const Query& query, const core::ConvoId& convo) {
  return {.convo = convo,
          .position = query.number(0),
          .seq = core::Seq(query.number(2)),
          .epoch = core::Epoch(query.number(3)),
          .kind = static_cast<core::Kind>(query.integer(4)),
          .id = core::MsgId(query.text(5)),
          .committer = core::Did(query.text(8)),
          .at = Timestamp(query.integer(9)),
          .bytes = make_blob(query.bytes(body_column))};
}

}  // namespace

Result<Page> SqliteReader::page(const PageQuery& query) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto convo = find_convo(*db_, query.convo);
  if (!convo) return std::unexpected(convo.error());
  Page page;
  if (!*convo) return page;
  page.first_seq = (*convo)->first_seq;
  const auto until = std::min(query.until, (*convo)->last_seq);
  if (query.after >= until) return page;
  PageBudget budget(query.rows_max, query.bytes_max);
  auto after = query.after;
  if (after.value + 1 < page.first_seq.value) {
    const core::Seq expired(page.first_seq.value - 1);
    auto more = add_commits({.convo = query.convo,
                             .from = core::Epoch(1),
                             .to = core::Epoch(INT64_MAX),
                             .after = after,
                             .until = std::min(until, expired)},
                            (*convo)->id, budget, page.rows);
    if (!more) return std::unexpected(more.error());
    if (!*more) return page;
    after = expired;
  }
  Query found = db_->query(select_page, {(*convo)->id, after, until});
  for (auto expected = after.value + 1; expected <= until.value; ++expected) {
    auto row = found.next_of("message");
    if (!row) return std::unexpected(row.error());
    // History has no gaps (O3): a row that an index no longer finds is damage, not an end.
    if (!*row || found.number(2) != expected) return std::unexpected(db_->corrupt("message"));
    if (!budget.take(found.blob(body_column).size())) break;
    page.rows.push_back(row_of(found, query.convo));
  }
  return page;
}

Result<std::vector<Row>> SqliteReader::commits(const CommitQuery& query) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto convo = find_convo(*db_, query.convo);
  if (!convo) return std::unexpected(convo.error());
  std::vector<Row> rows;
  if (!*convo) return rows;
  PageBudget budget(0, query.bytes_max);
  if (auto done = add_commits(query, (*convo)->id, budget, rows); !done) {
    return std::unexpected(done.error());
  }
  return rows;
}

/// True if all of them found room.
Result<bool> SqliteReader::add_commits(const CommitQuery& query, RowHandle convo,
                                       PageBudget& budget, std::vector<Row>& rows) {
  // A commit's base is the epoch before the one it leads to.
  Query found =
      db_->query(select_commits, {convo, clamped(query.from.value) - 1, clamped(query.to.value) - 1,
                                  clamped(query.after.value), clamped(query.until.value)});
  while (true) {
    auto row = found.next_of("message");
    if (!row) return std::unexpected(row.error());
    if (!*row) return true;
    if (!budget.take(found.blob(body_column).size())) return false;
    rows.push_back(row_of(found, query.convo));
  }
}

Result<std::vector<Row>> SqliteReader::log(const LogQuery& query) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  std::vector<Place> places;
  for (const auto& convo : query.convos) {
    if (auto done = find_places(convo, query, places); !done) return std::unexpected(done.error());
  }
  std::ranges::sort(places, {}, &Place::position);
  const auto twice = std::ranges::unique(places, {}, &Place::position);
  places.erase(twice.begin(), twice.end());  // a conversation was named twice

  PageBudget budget(query.rows_max, query.bytes_max);
  std::vector<Row> rows;
  for (const auto& place : places) {
    Query found = db_->query(select_at_position, {place.position});
    auto row = found.next_of("message");
    if (!row) return std::unexpected(row.error());
    if (!*row) return std::unexpected(db_->corrupt("message"));
    if (!budget.take(found.blob(body_column).size())) break;
    rows.push_back(row_of(found, *place.convo));
  }
  return rows;
}

Result<void> SqliteReader::find_places(const core::ConvoId& convo, const LogQuery& query,
                                       std::vector<Place>& places) {
  auto row = find_convo(*db_, convo);
  if (!row) return std::unexpected(row.error());
  if (!*row || (*row)->last_seq.value == 0) return {};
  const auto id = (*row)->id;
  const auto last = (*row)->last_seq.value;
  auto newest = position_at(id, last);
  if (!newest) return std::unexpected(newest.error());
  if (*newest <= query.after) return {};

  // Positions grow with seq, so the first one behind the cursor is found by halving; an index on
  // (convo, position) would cost every write instead.
  std::uint64_t low = 1;
  std::uint64_t high = last;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    auto position = position_at(id, middle);
    if (!position) return std::unexpected(position.error());
    if (*position > query.after) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  const auto limit = query.rows_max == 0 ? INT64_MAX : clamped(query.rows_max);
  Query found = db_->query(select_positions, {id, low, limit});
  while (true) {
    auto next = found.next();
    if (!next) return std::unexpected(next.error());
    if (!*next) return {};
    places.push_back({found.number(0), &convo});
  }
}

Result<std::uint64_t> SqliteReader::position_at(RowHandle convo, std::uint64_t seq) {
  Query found = db_->query(select_position, {convo, seq});
  auto row = found.next();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::unexpected(db_->corrupt("message"));
  return found.number(0);
}

Result<std::uint64_t> SqliteReader::last_position() {
  Query found = db_->query(select_newest);
  auto row = found.next();
  if (!row) return std::unexpected(row.error());
  return *row ? found.number(0) : 0;
}

Result<std::optional<core::Seq>> SqliteReader::seq_of(const core::ConvoId& convo,
                                                      const core::MsgId& id) {
  const ReadScope scope(*db_);
  if (!scope.begun()) return std::unexpected(scope.begun().error());
  auto row = find_convo(*db_, convo);
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::nullopt;
  Query found = db_->query(select_head, {(*row)->id, id});
  auto message = found.next_of("message");
  if (!message) return std::unexpected(message.error());
  if (!*message) return std::nullopt;
  return core::Seq(found.number(2));
}

Result<void> SqliteReader::ping() {
  Query found = db_->query(select_newest);
  auto row = found.next();
  if (!row) return std::unexpected(row.error());
  return {};
}

}  // namespace catbird::storage::sqlite
