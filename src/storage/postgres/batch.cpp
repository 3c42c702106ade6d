// SPDX-License-Identifier: MIT
#include "storage/postgres/batch.hpp"

#include "base/mutant.hpp"
#include "storage/postgres/event_writer.hpp"
#include "storage/postgres/sums.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace catbird::storage::postgres {

namespace {

// f: the rows that were as expected. l: the log lock, only once every row is locked, so that two
// batches always take the two kinds in the same order. m: numbered rows, positions in batch order,
// never ON CONFLICT DO NOTHING: a skipped row would leave a gap behind an advanced next_seq.
#define CATBIRD_BATCH(expected)                                                                    \
  "WITH f AS (UPDATE conversation c SET next_seq = u.nxt, version = u.ver2, owner_fence = "        \
  "u.fence,"                                                                                       \
  " last_message_at = coalesce(u.at, c.last_message_at), head_sum = u.sum"                         \
  " FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],"             \
  " $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $38::text[])"           \
  " AS u(id, seen, fence, ver, ver2, exp, nxt, ep, at, sum, convo)"                                \
  " WHERE c.id = u.id AND c.convo_id = u.convo" expected                                           \
  " RETURNING c.id),"                                                                              \
  " l AS MATERIALIZED (SELECT pg_advisory_xact_lock(1130513491, 1) FROM (SELECT count(*) FROM f) " \
  "n),"                                                                                            \
  " m AS (INSERT INTO message (position, convo, seq, epoch, base_epoch, at, body_sum, checksum,"   \
  " kind, msg_id, sender_tag, committer, body)"                                                    \
  " SELECT nextval('message_position'), r.convo, r.seq, r.epoch, r.base, r.at, r.bs, r.s, r.kind," \
  " r.id, r.tag, r.who, r.body FROM (SELECT u.*"                                                   \
  " FROM unnest($11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],"        \
  " $16::bigint[], $17::bigint[], $18::bigint[], $19::text[], $20::bytea[], $21::text[],"          \
  " $22::bytea[]) WITH ORDINALITY"                                                                 \
  " AS u(convo, seq, epoch, base, at, bs, s, kind, id, tag, who, body, n), l"                      \
  " WHERE u.convo = ANY(ARRAY(SELECT id FROM f)) ORDER BY u.n) r RETURNING position),"             \
  " q AS (INSERT INTO idempotency (convo, after_seq, seq, epoch, at, checksum, user_did, method,"  \
  " key, payload, detail) SELECT u.* FROM unnest($23::bigint[], $24::bigint[], $25::bigint[],"     \
  " $26::bigint[], $27::bigint[], $28::bigint[], $29::text[], $30::text[], $31::text[],"           \
  " $32::bytea[], $33::text[]) AS u(convo, a, b, c, d, e, g, h, i, j, k)"                          \
  " WHERE u.convo = ANY(ARRAY(SELECT id FROM f))),"                                                \
  " k AS (UPDATE member SET read_seq = u.seq, read_sum = u.sum FROM unnest($34::bigint[],"         \
  " $35::text[], $36::bigint[], $37::bigint[]) AS u(convo, who, seq, sum)"                         \
  " WHERE member.convo = u.convo AND member.user_did = u.who AND member.read_seq < u.seq"          \
  " AND u.convo = ANY(ARRAY(SELECT id FROM f)))"                                                   \
  " SELECT f.id, NULL::bigint FROM f UNION ALL SELECT NULL, min(position) FROM m"

constexpr const char* batch = CATBIRD_BATCH(
    " AND c.owner_fence = u.seen AND c.version = u.ver AND c.next_seq = u.exp AND c.epoch = u.ep");
/// The planted bug: whoever writes, writes.
constexpr const char* batch_without_fence = CATBIRD_BATCH("");
#undef CATBIRD_BATCH

bool plain_event(const core::Event& event) {
  if (const auto* row = std::get_if<core::RowAppended>(&event)) {
    return row->kind != core::Kind::commit;
  }
  return std::holds_alternative<core::RequestRecorded>(event) ||
         std::holds_alternative<core::ReadMarked>(event);
}

bool stands_on(const WriteSet& set, const WriteSet& before) {
  return set.seen == before.fence && set.version.value == before.version.value + 1 &&
         set.last_seq == before.new_last_seq && set.epoch == before.new_epoch;
}

struct Columns {
  using enum Column::Type;
  Column id{int8}, seen{int8}, fence{int8}, version{int8}, version2{int8}, seq{int8}, next{int8};
  Column epoch{int8}, at{int8}, sum{int8}, convo{text};
  Column message_convo{int8}, request_convo{int8};
  MessageColumns messages;
  RequestColumns requests;
  Column read_convo{int8}, read_user{text}, read_seq{int8}, read_sums{int8};

  void add_events(const WriteSet& set, std::optional<Timestamp>& last_at,
                  std::map<core::Did, core::Seq>& reads) {
    auto seq_now = set.last_seq;
    for (const auto& event : set.events) {
      if (const auto* row = std::get_if<core::RowAppended>(&event)) {
        message_convo.add(set.row);
        messages.add(set.row, *row);
        seq_now = row->seq;
        if (row->kind == core::Kind::app) last_at = row->at;
      } else if (const auto* record = std::get_if<core::RequestRecorded>(&event)) {
        request_convo.add(set.row);
        requests.add(set.row, seq_now, *record);
      } else if (const auto* mark = std::get_if<core::ReadMarked>(&event)) {
        auto& read = reads[mark->user];
        read = std::max(read, mark->seq);
      }
    }
  }

  void add_reads(RowHandle row, const std::map<core::Did, core::Seq>& reads) {
    for (const auto& [user, read] : reads) {
      read_convo.add(row);
      read_user.add(user);
      read_seq.add(read);
      read_sums.add(postgres::read_sum(row, user, read));
    }
  }

  void add_to(Params& params) const {
    for (const auto* column : {&id, &seen, &fence, &version, &version2, &seq, &next, &epoch, &at,
                               &sum, &message_convo}) {
      column->add_to(params);
    }
    messages.add_to(params);
    request_convo.add_to(params);
    requests.add_to(params);
    for (const auto* column : {&read_convo, &read_user, &read_seq, &read_sums}) {
      column->add_to(params);
    }
    convo.add_to(params);
  }
};

}  // namespace

bool is_plain(const WriteSet& set) {
  return set.row != 0 && !set.creates && set.seen <= set.fence &&
         std::ranges::all_of(set.events, plain_event);
}

bool PlainBatch::add(const WriteSet& set, std::size_t index) {
  auto& entries = convos_[set.row];
  if (!entries.empty() && !stands_on(set, *entries.back().set)) return false;
  entries.push_back({&set, index});
  return true;
}

Call PlainBatch::call() const {
  Columns columns;
  for (const auto& [row, entries] : convos_) {
    const auto& first = *entries.front().set;
    const auto& last = *entries.back().set;
    std::optional<Timestamp> last_at;
    std::map<core::Did, core::Seq> reads;
    for (const auto& entry : entries) columns.add_events(*entry.set, last_at, reads);
    columns.add_reads(row, reads);
    const Head head{last.new_epoch, last.new_last_seq, core::Version(last.version.value + 1),
                    last.fence};
    columns.id.add(row);
    columns.seen.add(first.seen);
    columns.fence.add(head.fence);
    columns.version.add(first.version);
    columns.version2.add(head.version);
    columns.seq.add(first.last_seq.value + 1);
    columns.next.add(head.last_seq.value + 1);
    columns.epoch.add(first.epoch);
    columns.at.add(last_at);
    columns.sum.add(head_sum(first.convo, head));
    columns.convo.add(first.convo);
  }
  Call call{mutant("no_fence_postgres") ? batch_without_fence : batch, {}};
  columns.add_to(call.params);
  return call;
}

std::vector<PlainBatch::Outcome> PlainBatch::outcome(const Rows& rows) const {
  std::set<RowHandle> advanced;
  std::uint64_t position = 0;
  for (int i = 0; i < rows.size(); ++i) {
    if (!rows.is_null(i, 0)) advanced.insert(rows.integer(i, 0));
    if (!rows.is_null(i, 1)) position = rows.number(i, 1);
  }
  std::vector<Outcome> out;
  for (const auto& [row, entries] : convos_) {
    const bool done = advanced.contains(row);
    for (const auto& entry : entries) {
      Outcome one{.index = entry.index, .advanced = done, .row = row};
      const auto numbered = entry.set->new_last_seq.value - entry.set->last_seq.value;
      if (done && numbered != 0) {
        one.first_position = position;
        position += numbered;
      }
      out.push_back(one);
    }
  }
  return out;
}

}  // namespace catbird::storage::postgres
