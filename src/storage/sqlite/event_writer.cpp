// SPDX-License-Identifier: MIT
#include "storage/sqlite/event_writer.hpp"

#include "base/mutant.hpp"
#include "storage/sqlite/package_row.hpp"
#include "storage/sqlite/recipient_row.hpp"
#include "storage/tables/conversations.hpp"

#include <algorithm>

namespace catbird::storage::sqlite {

namespace {

constexpr const char* insert_device =
    "INSERT INTO member_device (convo, user, device, join_seq, checksum)"
    " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
constexpr const char* delete_devices = "DELETE FROM member_device WHERE convo=?1 AND user=?2";
constexpr const char* insert_message =
    "INSERT INTO message (position, convo, seq, epoch, kind, msg_id, base_epoch, sender_tag,"
    " committer, at, body_sum, checksum, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
constexpr const char* insert_welcome =
    "INSERT INTO welcome (id, convo, epoch, at, body_sum, checksum, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr const char* replace_group_info =
    "INSERT OR REPLACE INTO group_info (convo, epoch, at, body_sum, checksum, body)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
constexpr const char* insert_request =
    "INSERT INTO idempotency (id, user, method, key, payload, convo, after_seq, seq, epoch, at,"
    " detail, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
constexpr const char* select_log_end =
    "SELECT max(seq) FROM sqlite_sequence WHERE name IN ('message', 'notice')";
constexpr const char* max_request = "SELECT max(id) FROM idempotency";
constexpr const char* max_welcome = "SELECT max(id) FROM welcome";
constexpr const char* max_recipient = "SELECT max(id) FROM welcome_recipient";

std::unexpected<Error> broken(const char* what) { return fail(Errc::internal, what); }

/// Inserts a row whose checksum follows its columns, with what stands behind it.
Result<void> insert(Database& database, const char* sql, std::string_view table,
                    std::initializer_list<Value> columns, std::optional<ByteView> body = {}) {
  std::vector<Value> values(columns);
  values.emplace_back(sum_row(table, columns));
  if (body) values.emplace_back(*body);
  return database.run(sql, values);
}

}  // namespace

Result<std::int64_t> next_id(Database& database, const char* sql) {
  Query query = database.query(sql);
  auto row = query.next();
  if (!row) return std::unexpected(row.error());
  return *row ? query.integer(0) + 1 : 1;
}

Result<std::uint64_t> next_log_position(Database& database) {
  auto next = next_id(database, select_log_end);
  if (!next) return std::unexpected(next.error());
  return static_cast<std::uint64_t>(*next);
}

Result<void> EventWriter::write(const core::Event& event) {
  return std::visit([this](const auto& one) { return write_one(one); }, event);
}

Result<void> EventWriter::write_one(const core::ConvoCreated&) {
  return {};  // it is the conversation's row itself
}

Result<void> EventWriter::write_one(const core::MemberAdded& event) {
  auto before = find_member(db_, convo_.id, event.user);
  if (!before) return std::unexpected(before.error());
  if (*before && !(*before)->left) return broken("member is active already");
  MemberRow row;
  row.user = event.user;
  row.admin = event.admin;
  row.join_seq = event.join_seq;
  row.read_seq = std::max(*before ? (*before)->read_seq : core::Seq(0), event.join_seq);
  row.joined_at = event.at;
  if (!*before) ++convo_.members;
  return write_member(db_, convo_.id, row);
}

Result<void> EventWriter::write_one(const core::DeviceAdded& event) {
  if (auto known = member(event.user); !known) return std::unexpected(known.error());
  return insert(db_, insert_device, "member_device",
                {convo_.id, event.user, event.device, event.join_seq});
}

Result<void> EventWriter::write_one(const core::MemberLeft& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  if (row->left) return broken("departure of nobody");
  row->left = core::Departure{event.left_seq, event.epoch, event.at};
  row->admin = false;
  row->promoted_at.reset();
  if (auto done = db_.run(delete_devices, {convo_.id, event.user}); !done) return done;
  return write_member(db_, convo_.id, *row);
}

Result<void> EventWriter::write_one(const core::AdminPromoted& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  row->admin = true;
  row->promoted_at = event.at;
  return write_member(db_, convo_.id, *row);
}

Result<void> EventWriter::write_one(const core::AdminDemoted& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  row->admin = false;
  row->promoted_at.reset();
  return write_member(db_, convo_.id, *row);
}

Result<void> EventWriter::write_one(const core::ModeratorSet& event) {
  return set_moderator(tables_, convo_.convo, event);
}

// The row that these refer to is written last.
Result<void> EventWriter::write_one(const core::PolicySet& event) {
  return put(tables_, record_of(convo_.convo, event));
}

Result<void> EventWriter::write_one(const core::Noted& event) {
  auto added = storage::insert(tables_, record_of(next_position_, convo_.convo, event));
  if (!added) return std::unexpected(added.error());
  if (!*added) return broken("a position used twice");
  ++next_position_;
  return {};
}

Result<void> EventWriter::write_one(const core::RowAppended& event) {
  std::optional<std::string_view> committer;
  if (!event.committer.value.empty()) committer = event.committer.value;
  auto done =
      insert(db_, insert_message, "message",
             {next_position_, convo_.id, event.seq, event.epoch, static_cast<int>(event.kind),
              event.id, event.base, event.tag, committer, event.at, sum_of(*event.bytes)},
             ByteView(*event.bytes));
  if (!done && done.error().code == Errc::conflict) {
    // A fork or a number used twice is no client's doing, unlike a msgId used twice.
    if (done.error().detail.contains("message.msg_id")) {
      return fail(Errc::conflict, "this message id is taken");
    }
    return fail(Errc::internal, done.error().detail);
  }
  if (!done) return done;
  ++next_position_;
  convo_.last_seq = event.seq;
  if (event.kind == core::Kind::app) convo_.last_message_at = event.at;
  return {};
}

Result<void> EventWriter::write_one(const core::WelcomeStored& event) {
  const auto id = next_id(db_, max_welcome);
  if (!id) return std::unexpected(id.error());
  const auto& bytes = *event.welcome.bytes;
  auto done = insert(db_, insert_welcome, "welcome",
                     {*id, convo_.id, event.epoch, event.at, sum_of(bytes)}, ByteView(bytes));
  for (const auto& recipient : event.welcome.recipients) {
    if (done) done = supersede(recipient);
    if (done) done = add_recipient(*id, recipient, event.at);
  }
  return done;
}

Result<void> EventWriter::supersede(const core::Recipient& recipient) {
  const auto rows = recipients_of(db_, convo_.id, recipient.user);
  if (!rows) return std::unexpected(rows.error());
  for (const auto& row : *rows) {
    if (!row.pointer.pending || row.pointer.device != recipient.device) continue;
    if (mutant("welcome_not_superseded")) continue;
    if (auto done = end_recipient(db_, row, "superseded"); !done) return done;
  }
  return {};
}

Result<void> EventWriter::add_recipient(std::int64_t welcome, const core::Recipient& recipient,
                                        Timestamp at) {
  const auto id = next_id(db_, max_recipient);
  if (!id) return std::unexpected(id.error());
  RecipientRow row;
  row.pointer = {*id, recipient.device, true, at};
  row.welcome = welcome;
  row.convo = convo_.id;
  row.user = recipient.user;
  row.ref = recipient.key_package_ref;
  return insert_recipient(db_, row);
}

Result<void> EventWriter::write_one(const core::GroupInfoStored& event) {
  convo_.group_info_epoch = event.epoch;
  return insert(db_, replace_group_info, "group_info",
                {convo_.id, event.epoch, event.at, sum_of(*event.bytes)}, ByteView(*event.bytes));
}

Result<void> EventWriter::write_one(const core::KeyPackagesConsumed& event) {
  for (const auto& ref : event.refs) {
    auto package = package_by_ref(db_, ref);
    if (!package) return std::unexpected(package.error());
    if (!*package || (*package)->consumed_at ||
        !may_consume((*package)->state, event.user, event.at)) {
      return fail(Errc::key_package_not_found);
    }
    if ((*package)->state.last_resort) continue;
    (*package)->consumed_at = event.at;
    (*package)->state.reserved_by.reset();
    auto changed = update_package(db_, **package);
    if (!changed) return std::unexpected(changed.error());
    if (!*changed) return fail(Errc::key_package_not_found);
  }
  return {};
}

Result<void> EventWriter::write_one(const core::ReadMarked& event) {
  auto row = member(event.user);
  if (!row) return std::unexpected(row.error());
  if (event.seq <= row->read_seq) return {};
  row->read_seq = event.seq;
  return write_member(db_, convo_.id, *row);
}

Result<void> EventWriter::write_one(const core::RequestRecorded& event) {
  const auto id = next_id(db_, max_request);
  if (!id) return std::unexpected(id.error());
  const auto& outcome = event.outcome;
  auto done =
      insert(db_, insert_request, "idempotency",
             {*id, event.user, event.key.method, event.key.key, event.key.payload, convo_.id,
              convo_.last_seq, outcome.seq, outcome.epoch, outcome.at, outcome.detail});
  if (!done && done.error().code == Errc::conflict) {
    return fail(Errc::conflict, "this request key is taken");
  }
  return done;
}

Result<MemberRow> EventWriter::member(const core::Did& user) {
  auto row = find_member(db_, convo_.id, user);
  if (!row) return std::unexpected(row.error());
  if (!*row) return broken("no such member");
  return **row;
}

}  // namespace catbird::storage::sqlite
