// SPDX-License-Identifier: MIT
#include "storage/postgres/cleaner.hpp"

#include "base/mutant.hpp"
#include "storage/postgres/convo_row.hpp"
#include "storage/postgres/message_row.hpp"

#include <algorithm>

namespace catbird::storage::postgres {

namespace {

/// Conversations one step looks at: an index probe each.
constexpr int convos_per_step = 500;

constexpr const char* begin = "BEGIN";
constexpr const char* select_oldest =
    "SELECT c.id, (SELECT m.at FROM message m WHERE m.convo = c.id AND m.seq = c.first_seq)"
    " FROM conversation c WHERE c.id > $1::bigint ORDER BY c.id LIMIT $2::bigint";
constexpr const char* lock_one =
    "SELECT id, convo_id, group_id, generation, creator, suite, name, created_at, creation_epoch,"
    " epoch, next_seq, first_seq, version, owner_fence, group_info_epoch, last_message_at, members,"
    " head_sum, checksum FROM conversation WHERE id = $1::bigint FOR UPDATE";
constexpr const char* select_heads =
    "SELECT convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at, body_sum,"
    " checksum FROM message WHERE convo = $1::bigint AND seq >= $2::bigint ORDER BY seq"
    " LIMIT $3::bigint";
constexpr const char* update_first_seq =
    "UPDATE conversation SET first_seq = $2::bigint, checksum = $3::bigint WHERE id = $1::bigint";
constexpr const char* blank_bodies =
    "UPDATE message m SET body = '', body_sum = $2::bigint, checksum = u.sum"
    " FROM unnest($3::bigint[], $4::bigint[]) AS u(seq, sum)"
    " WHERE m.convo = $1::bigint AND m.seq = u.seq";
constexpr const char* delete_requests =
    "DELETE FROM idempotency WHERE id = ANY(ARRAY(SELECT id FROM idempotency ORDER BY id"
    " LIMIT $2::bigint)) AND at < $1::bigint";
constexpr const char* delete_recipients =
    "DELETE FROM welcome_recipient WHERE id = ANY(ARRAY(SELECT id FROM welcome_recipient"
    " ORDER BY id LIMIT $2::bigint)) AND at < $1::bigint";
constexpr const char* delete_welcomes =
    "DELETE FROM welcome w WHERE w.id = ANY(ARRAY(SELECT id FROM welcome ORDER BY id"
    " LIMIT $2::bigint)) AND w.at < $1::bigint"
    " AND NOT EXISTS (SELECT FROM welcome_recipient r WHERE r.welcome = w.id)";
constexpr const char* delete_packages =
    "DELETE FROM key_package WHERE id = ANY(ARRAY(SELECT id FROM key_package"
    " WHERE state <> 'consumed' AND not_after <= $1::bigint ORDER BY not_after"
    " LIMIT $2::bigint)) AND state <> 'consumed'";

}  // namespace

Result<Cleaner::Expired> PostgresCleaner::expire_messages(Timestamp before, RowHandle after) {
  auto connection = connector_.get();
  if (!connection) return std::unexpected(connection.error());
  auto& db = **connection;
  auto found = db.query(select_oldest, {after, convos_per_step});
  if (!found) return std::unexpected(found.error());
  Expired step;
  for (int i = 0; i < found->size(); ++i) {
    step.next = found->integer(i, 0);
    if (found->is_null(i, 1) || found->integer(i, 1) >= before.value) continue;
    auto bodies = expire(db, *step.next, before);
    db.roll_back();
    if (!bodies) return std::unexpected(bodies.error());
    step.bodies = *bodies;
    step.next = *step.next - 1;  // again, until its oldest is young enough
    return step;
  }
  if (found->size() < convos_per_step) step.next.reset();
  return step;
}

Result<std::uint64_t> PostgresCleaner::expire(Connection& db, RowHandle convo, Timestamp before) {
  if (auto begun = db.query(begin); !begun) return std::unexpected(begun.error());
  auto locked = db.query(lock_one, {convo});
  if (!locked) return std::unexpected(locked.error());
  if (locked->empty()) return 0;
  auto row = convo_of(db, *locked, 0);
  if (!row) return std::unexpected(row.error());
  auto next = row->first_seq;
  auto heads = db.query(select_heads, {convo, next, clean_rows_max});
  if (!heads) return std::unexpected(heads.error());
  Column seqs(Column::Type::int8);
  Column sums(Column::Type::int8);
  for (int i = 0; i < heads->size(); ++i, ++next.value) {
    auto head = message_head(db, *heads, i);
    if (!head) return std::unexpected(head.error());
    if (head->at >= before) break;
    if (head->seq != next) return std::unexpected(db.corrupt("message"));
    if (head->kind == core::Kind::commit) continue;
    seqs.add(head->seq);
    sums.add(message_sum(convo, *head, sum_of({})));
  }
  if (!mutant("expiry_without_mark")) {
    row->first_seq = next;
    auto moved = db.query(update_first_seq, {convo, next, convo_sum(*row)});
    if (!moved) return std::unexpected(moved.error());
  }
  Params params{convo, sum_of({})};
  seqs.add_to(params);
  sums.add_to(params);
  auto blanked = db.query(blank_bodies, params);
  if (!blanked) return std::unexpected(blanked.error());
  if (blanked->changed() != seqs.size()) return std::unexpected(db.corrupt("message"));
  if (auto done = db.execute("COMMIT"); !done) return std::unexpected(done.error());
  return seqs.size();
}

Result<std::uint64_t> PostgresCleaner::run(const char* sql, Timestamp before) {
  auto connection = connector_.get();
  if (!connection) return std::unexpected(connection.error());
  auto done = (*connection)->query(sql, {before, clean_rows_max});
  if (!done) return std::unexpected(done.error());
  return done->changed();
}

Result<std::uint64_t> PostgresCleaner::forget_requests(Timestamp before) {
  return run(delete_requests, before);
}

// Welcomes stand in the order of their pointers: those that lost theirs are the oldest.
Result<std::uint64_t> PostgresCleaner::drop_welcomes(Timestamp before) {
  auto pointers = run(delete_recipients, before);
  if (!pointers) return pointers;
  auto welcomes = run(delete_welcomes, before);
  if (!welcomes) return welcomes;
  return std::max(*pointers, *welcomes);
}

Result<std::uint64_t> PostgresCleaner::drop_key_packages(Timestamp now) {
  return run(delete_packages, now);
}

}  // namespace catbird::storage::postgres
