// SPDX-License-Identifier: MIT
#include "storage/sqlite/recipient_row.hpp"

namespace catbird::storage::sqlite {

namespace {

constexpr const char* select_of_user =
    "SELECT id, welcome, convo, user, device, ref, state, at, checksum FROM welcome_recipient"
    " WHERE convo=?1 AND user=?2 ORDER BY id";
constexpr const char* insert_row =
    "INSERT INTO welcome_recipient (id, welcome, convo, user, device, ref, state, at, checksum)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
constexpr const char* update_state =
    "UPDATE welcome_recipient SET state=?2, checksum=?3 WHERE id=?1 AND state='pending'";

std::int64_t sum_with(const RecipientRow& row, std::string_view state) {
  const Value values[] = {row.pointer.id,     row.welcome, row.convo, row.user,
                          row.pointer.device, row.ref,     state,     row.pointer.at};
  return sum_row("welcome_recipient", values);
}

}  // namespace

Result<std::vector<RecipientRow>> recipients_of(Database& database, RowHandle convo,
                                                const core::Did& user) {
  std::vector<RecipientRow> rows;
  Query query = database.query(select_of_user, {convo, user});
  while (true) {
    auto found = query.next_of("welcome_recipient");
    if (!found) return std::unexpected(found.error());
    if (!*found) return rows;
    RecipientRow row;
    row.pointer.id = query.integer(0);
    row.welcome = query.integer(1);
    row.convo = query.integer(2);
    row.user = core::Did(query.text(3));
    row.pointer.device = core::DeviceId(query.text(4));
    row.ref = query.bytes(5);
    row.pointer.pending = query.text(6) == "pending";
    row.pointer.at = Timestamp(query.integer(7));
    rows.push_back(std::move(row));
  }
}

Result<void> insert_recipient(Database& database, const RecipientRow& row) {
  return database.run(
      insert_row, {row.pointer.id, row.welcome, row.convo, row.user, row.pointer.device, row.ref,
                   "pending", row.pointer.at, sum_with(row, "pending")});
}

Result<void> end_recipient(Database& database, const RecipientRow& row, std::string_view state) {
  auto done = database.run(update_state, {row.pointer.id, state, sum_with(row, state)});
  if (done && database.changes() != 1) return fail(Errc::internal, "the Welcome is not pending");
  return done;
}

}  // namespace catbird::storage::sqlite
