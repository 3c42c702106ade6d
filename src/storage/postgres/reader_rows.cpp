// SPDX-License-Identifier: MIT
// The history: pages, commits, and the log across conversations.
#include "core/limits.hpp"
#include "storage/postgres/batch.hpp"
#include "storage/postgres/message_row.hpp"
#include "storage/postgres/reader.hpp"
#include "storage/rules.hpp"

#include <algorithm>
#include <set>

namespace catbird::storage::postgres {

namespace {

// The server stops at the byte bound, so that a page of large bodies is never sent whole.
constexpr const char* select_page =
    "SELECT convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at, body_sum,"
    " checksum, position, body FROM (SELECT r.*, sum(length(body)) OVER (ORDER BY seq) AS total,"
    " row_number() OVER (ORDER BY seq) AS n FROM (SELECT * FROM message WHERE"
    " convo = (SELECT id FROM conversation WHERE convo_id = $1::text) AND seq > $2::bigint"
    " AND seq <= $3::bigint ORDER BY seq LIMIT $4::bigint) r) p"
    " WHERE n = 1 OR total <= $5::bigint ORDER BY seq";
constexpr const char* select_commits =
    "SELECT convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at, body_sum,"
    " checksum, position, body FROM (SELECT r.*, sum(length(body)) OVER (ORDER BY base_epoch) AS"
    " total, row_number() OVER (ORDER BY base_epoch) AS n FROM (SELECT * FROM message WHERE"
    " convo = (SELECT id FROM conversation WHERE convo_id = $1::text)"
    " AND base_epoch >= $2::bigint AND base_epoch <= $3::bigint AND base_epoch IS NOT NULL"
    " AND seq > $4::bigint AND seq <= $5::bigint ORDER BY base_epoch LIMIT $6::bigint) r) p"
    " WHERE n = 1 OR total <= $7::bigint ORDER BY base_epoch";
constexpr const char* count_commits =
    "SELECT count(*) FROM message WHERE convo = (SELECT id FROM conversation WHERE"
    " convo_id = $1::text) AND base_epoch IS NOT NULL AND seq > $2::bigint AND seq <= $3::bigint";
constexpr const char* select_log =
    "SELECT convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at, body_sum,"
    " checksum, position, body, convo_id FROM (SELECT r.*,"
    " sum(length(body)) OVER (ORDER BY position) AS total,"
    " row_number() OVER (ORDER BY position) AS n FROM (SELECT m.*, c.convo_id"
    " FROM unnest($1::text[]) AS u(name) JOIN conversation c ON c.convo_id = u.name"
    " CROSS JOIN LATERAL (SELECT * FROM message m WHERE m.convo = c.id"
    " AND m.seq >= first_seq_behind(c.id, $2::bigint, c.next_seq - 1)"
    " ORDER BY m.seq LIMIT $3::bigint) m WHERE c.next_seq > 1"
    " AND (SELECT position FROM message n WHERE n.convo = c.id AND n.seq = c.next_seq - 1)"
    " > $2::bigint ORDER BY m.position LIMIT $3::bigint) r) p"
    " WHERE n = 1 OR total <= $4::bigint ORDER BY position";
constexpr const char* select_seq =
    "SELECT seq FROM message WHERE convo = (SELECT id FROM conversation WHERE convo_id = $1::text)"
    " AND msg_id = $2::text";
constexpr const char* select_newest =
    "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM message_position";
constexpr const char* select_one = "SELECT 1";

constexpr int body_column = 12;
// More rows than any page can hold.
constexpr std::int64_t commits_max = 10'000;

std::int64_t bytes_bound(std::size_t bytes_max) {
  return clamped(bytes_max == 0 ? core::page_bytes_max : bytes_max);
}

Value rows_bound(std::size_t rows_max) {
  return rows_max == 0 ? Value(std::nullopt) : Value(clamped(rows_max));
}

Call page_call(const PageQuery& query) {
  return {select_page,
          {query.convo, clamped(query.after.value), clamped(query.until.value),
           rows_bound(query.rows_max), bytes_bound(query.bytes_max)}};
}

// A commit's base is the epoch before the one it leads to.
Call commits_call(const CommitQuery& query) {
  return {select_commits,
          {query.convo, clamped(query.from.value) - 1, clamped(query.to.value) - 1,
           clamped(query.after.value), clamped(query.until.value), commits_max,
           bytes_bound(query.bytes_max)}};
}

Result<Row> row_of(Connection& db, const Rows& rows, int at, const core::ConvoId& convo) {
  auto row = message_head(db, rows, at);
  if (!row) return std::unexpected(row.error());
  const auto body = rows.blob(at, body_column);
  if (rows.integer(at, body_sum_column) != sum_of(body)) {
    return std::unexpected(db.corrupt("message"));
  }
  return Row{.convo = convo,
             .position = rows.number(at, 11),
             .seq = row->seq,
             .epoch = row->epoch,
             .kind = row->kind,
             .id = std::move(row->id),
             .committer = std::move(row->committer),
             .at = row->at,
             .bytes = make_blob({body.begin(), body.end()})};
}

}  // namespace

Result<Page> PostgresReader::page(const PageQuery& query) {
  auto rows = read({{select_convo, {query.convo}}, page_call(query)});
  if (!rows) return std::unexpected(rows.error());
  Page page;
  if ((*rows)[0].empty()) return page;
  auto convo = convo_of(db(), (*rows)[0], 0);
  if (!convo) return std::unexpected(convo.error());
  page.first_seq = convo->first_seq;
  PageQuery asked = query;
  asked.until = std::min(query.until, convo->last_seq);
  if (asked.after >= asked.until) return page;
  PageBudget budget(query.rows_max, query.bytes_max);
  if (asked.after.value + 1 < page.first_seq.value) return page_from_expired(asked, budget);
  auto done = add_page(asked, (*rows)[1], budget, page.rows);
  if (!done) return std::unexpected(done.error());
  return page;
}

/// A page that begins where bodies have expired, of which the commits are left. Rare, and in two
/// round trips: first_seq is read again, in the state that the rows are read in.
Result<Page> PostgresReader::page_from_expired(const PageQuery& query, PageBudget& budget) {
  auto begun = read({{opening(), {}}, {select_convo, {query.convo}}});
  if (!begun) return std::unexpected(begun.error());
  const ListScope scope(db(), writer_ == nullptr);
  auto convo = convo_of(db(), (*begun)[1], 0);
  if (!convo) return std::unexpected(convo.error());
  Page page;
  page.first_seq = convo->first_seq;
  const core::Seq expired(page.first_seq.value - 1);
  auto rest = query;
  rest.after = std::max(query.after, expired);
  const CommitQuery kept{.convo = query.convo,
                         .from = core::Epoch(1),
                         .to = core::Epoch(INT64_MAX),
                         .after = query.after,
                         .until = std::min(query.until, expired),
                         .bytes_max = query.bytes_max};
  const Call calls[] = {
      commits_call(kept), page_call(rest), {count_commits, {kept.convo, kept.after, kept.until}}};
  auto rows = db().query_all(calls);
  if (!rows) return std::unexpected(rows.error());
  auto more = add_commits(query.convo, (*rows)[0], budget, page.rows);
  if (!more) return std::unexpected(more.error());
  // The database stopped at the bounds as well.
  const bool all = *more && (*rows)[2].integer(0, 0) == (*rows)[0].size();
  if (!all || rest.after >= rest.until) return page;
  auto done = add_page(rest, (*rows)[1], budget, page.rows);
  if (!done) return std::unexpected(done.error());
  return page;
}

/// `found` begins with the row behind `query.after`, which exists.
Result<void> PostgresReader::add_page(const PageQuery& query, const Rows& found, PageBudget& budget,
                                      std::vector<Row>& out) {
  auto expected = query.after.value + 1;
  for (int i = 0; i < found.size(); ++i, ++expected) {
    // History has no gaps (O3): a row that an index no longer finds is damage, not an end.
    if (found.number(i, 1) != expected) return std::unexpected(db().corrupt("message"));
    if (!budget.take(found.blob(i, body_column).size())) return {};
    auto row = row_of(db(), found, i, query.convo);
    if (!row) return std::unexpected(row.error());
    out.push_back(std::move(*row));
  }
  if (found.empty()) return std::unexpected(db().corrupt("message"));
  return {};
}

/// True if all of them found room.
Result<bool> PostgresReader::add_commits(const core::ConvoId& convo, const Rows& found,
                                         PageBudget& budget, std::vector<Row>& out) {
  for (int i = 0; i < found.size(); ++i) {
    if (!budget.take(found.blob(i, body_column).size())) return false;
    auto row = row_of(db(), found, i, convo);
    if (!row) return std::unexpected(row.error());
    out.push_back(std::move(*row));
  }
  return true;
}

Result<std::vector<Row>> PostgresReader::commits(const CommitQuery& query) {
  auto call = commits_call(query);
  auto found = read_one(call.sql, std::move(call.params));
  if (!found) return std::unexpected(found.error());
  std::vector<Row> out;
  PageBudget budget(0, query.bytes_max);
  auto all = add_commits(query.convo, *found, budget, out);
  if (!all) return std::unexpected(all.error());
  return out;
}

Result<std::vector<Row>> PostgresReader::log(const LogQuery& query) {
  const std::set<core::ConvoId> named(query.convos.begin(), query.convos.end());
  Column names(Column::Type::text);
  for (const auto& convo : named) names.add(convo);
  Params params;
  names.add_to(params);
  params.add(clamped(query.after));
  params.add(rows_bound(query.rows_max));
  params.add(bytes_bound(query.bytes_max));
  auto found = read_one(select_log, std::move(params));
  if (!found) return std::unexpected(found.error());
  std::vector<Row> out;
  PageBudget budget(query.rows_max, query.bytes_max);
  for (int i = 0; i < found->size(); ++i) {
    if (!budget.take(found->blob(i, body_column).size())) break;
    auto row = row_of(db(), *found, i, core::ConvoId(found->text(i, body_column + 1)));
    if (!row) return std::unexpected(row.error());
    out.push_back(std::move(*row));
  }
  return out;
}

// The sequence runs ahead of what is committed. Whoever draws from it holds the log lock until its
// rows are: having got the lock, everything up to the value is resolved.
Result<std::uint64_t> PostgresReader::last_position() {
  auto rows = read({{share_log, {}}, {select_newest, {}}});
  if (!rows) return std::unexpected(rows.error());
  return (*rows)[1].number(0, 0);
}

Result<std::optional<core::Seq>> PostgresReader::seq_of(const core::ConvoId& convo,
                                                        const core::MsgId& id) {
  auto rows = read_one(select_seq, {convo, id});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return core::Seq(rows->number(0, 0));
}

Result<void> PostgresReader::ping() {
  auto rows = read_one(select_one, {});
  if (!rows) return std::unexpected(rows.error());
  return {};
}

}  // namespace catbird::storage::postgres
