// SPDX-License-Identifier: MIT
#include "storage/sqlite/cleaner.hpp"

#include "base/mutant.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace catbird::storage::sqlite {

namespace {

/// Conversations one step looks at: an index probe each.
constexpr int convos_per_step = 200;

constexpr const char* select_oldest =
    "SELECT c.id, (SELECT m.at FROM message m WHERE m.convo=c.id AND m.seq=c.first_seq)"
    " FROM conversation c WHERE c.id>?1 ORDER BY c.id LIMIT ?2";
constexpr const char* select_heads =
    "SELECT position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at,"
    " body_sum, checksum FROM message WHERE convo=?1 AND seq>=?2 ORDER BY seq LIMIT ?3";
constexpr const char* update_first_seq =
    "UPDATE conversation SET first_seq=?2, checksum=?3 WHERE id=?1";
constexpr const char* blank_body =
    "UPDATE message SET body=x'', body_sum=?2, checksum=?3 WHERE position=?1";
constexpr const char* delete_requests =
    "DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency ORDER BY id LIMIT ?2)"
    " AND at<?1";
constexpr const char* delete_recipients =
    "DELETE FROM welcome_recipient WHERE id IN"
    " (SELECT id FROM welcome_recipient ORDER BY id LIMIT ?2) AND at<?1";
constexpr const char* delete_welcomes =
    "DELETE FROM welcome WHERE id IN (SELECT id FROM welcome ORDER BY id LIMIT ?2) AND at<?1"
    " AND NOT EXISTS (SELECT 1 FROM welcome_recipient r WHERE r.welcome=welcome.id)";
constexpr const char* delete_packages =
    "DELETE FROM key_package WHERE id IN (SELECT id FROM key_package"
    " WHERE state<>'consumed' AND not_after<=?1 ORDER BY not_after LIMIT ?2)";

struct Blanked {
  std::uint64_t position = 0;
  std::int64_t checksum = 0;
};

std::int64_t blank_sum(const Query& row) {
  const bool commit = !row.is_null(6);
  const std::optional<std::uint64_t> base =
      commit ? std::optional(row.number(6)) : std::optional<std::uint64_t>();
  const auto committer = row.is_null(8) ? std::nullopt : std::optional(row.text(8));
  const auto id = row.text(5);
  const std::array<Value, 11> values = {
      row.integer(0), row.integer(1), row.integer(2), row.integer(3), row.integer(4), id,
      base,           row.blob(7),    committer,      row.integer(9), sum_of({})};
  return sum_row("message", values);
}

}  // namespace

Result<Cleaner::Expired> SqliteCleaner::expire_messages(Timestamp before, RowHandle after) {
  Expired step;
  std::optional<RowHandle> due;
  int seen = 0;
  {
    Query found = db_.query(select_oldest, {after, convos_per_step});
    while (!due) {
      auto row = found.next();
      if (!row) return std::unexpected(row.error());
      if (!*row) break;
      ++seen;
      step.next = found.integer(0);
      if (!found.is_null(1) && found.integer(1) < before.value) due = step.next;
    }
  }
  if (!due) {
    if (seen < convos_per_step) step.next.reset();
    return step;
  }
  auto bodies = expire(*due, before);
  if (!bodies) return std::unexpected(bodies.error());
  step.bodies = *bodies;
  step.next = *due - 1;  // again, until its oldest is young enough
  return step;
}

Result<std::uint64_t> SqliteCleaner::expire(RowHandle convo, Timestamp before) {
  auto row = find_convo(db_, convo);
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::unexpected(db_.corrupt("conversation"));
  auto next = (*row)->first_seq;
  std::vector<Blanked> due;
  {
    Query found = db_.query(select_heads, {convo, next, clean_rows_max});
    while (true) {
      auto head = found.next_of("message");
      if (!head) return std::unexpected(head.error());
      if (!*head || found.integer(9) >= before.value) break;
      if (found.number(2) != next.value) return std::unexpected(db_.corrupt("message"));
      ++next.value;
      if (static_cast<core::Kind>(found.integer(4)) == core::Kind::commit) continue;
      due.push_back({found.number(0), blank_sum(found)});
    }
  }
  if (!mutant("expiry_without_mark")) {
    (*row)->first_seq = next;
    if (auto done = db_.run(update_first_seq, {convo, next, convo_sum(**row)}); !done) {
      return std::unexpected(done.error());
    }
  }
  for (const auto& one : due) {
    auto done = db_.run(blank_body, {one.position, sum_of({}), one.checksum});
    if (!done) return std::unexpected(done.error());
  }
  return due.size();
}

Result<std::uint64_t> SqliteCleaner::run(const char* sql, Timestamp before) {
  auto done = db_.run(sql, {before, clean_rows_max});
  if (!done) return std::unexpected(done.error());
  return static_cast<std::uint64_t>(db_.changes());
}

Result<std::uint64_t> SqliteCleaner::forget_requests(Timestamp before) {
  return run(delete_requests, before);
}

// Welcomes stand in the order of their pointers: those that lost theirs are the oldest.
Result<std::uint64_t> SqliteCleaner::drop_welcomes(Timestamp before) {
  auto pointers = run(delete_recipients, before);
  if (!pointers) return pointers;
  auto welcomes = run(delete_welcomes, before);
  if (!welcomes) return welcomes;
  return std::max(*pointers, *welcomes);
}

Result<std::uint64_t> SqliteCleaner::drop_key_packages(Timestamp now) {
  return run(delete_packages, now);
}

}  // namespace catbird::storage::sqlite
