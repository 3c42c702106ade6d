// SPDX-License-Identifier: MIT
#include "storage/postgres/predecessor.hpp"

#include "storage/postgres/connection.hpp"
#include "storage/postgres/schema.hpp"

#include <simdjson.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string_view>

namespace catbird::storage {

namespace postgres {
namespace {

namespace dom = simdjson::dom;

/// Framing of RFC 9420 §6 with a group id of any sensible length.
constexpr const char* head_and_size =
    "SELECT ((to_jsonb(m) - 'ciphertext') || jsonb_build_object('row', m.ctid::text,"
    " 'head', encode(substring(m.ciphertext from 1 for 400), 'hex'),"
    " 'size', coalesce(length(m.ciphertext), 0)))::text FROM public.messages m"
    " WHERE m.convo_id = $1::text ORDER BY m.seq, m.created_at, m.id";
constexpr const char* select_convos =
    "SELECT to_jsonb(c)::text FROM public.conversations c WHERE c.id::text COLLATE \"C\" > $1::text"
    " ORDER BY c.id::text COLLATE \"C\" LIMIT $2::bigint";
constexpr const char* select_members =
    "SELECT to_jsonb(m)::text FROM public.members m WHERE m.convo_id = $1::text"
    " ORDER BY m.joined_at, m.member_did";
constexpr const char* select_bodies =
    "SELECT m.ctid::text, m.ciphertext FROM public.messages m WHERE m.ctid = "
    "ANY($1::text[]::tid[])";
constexpr const char* select_welcomes =
    "SELECT to_jsonb(w)::text FROM public.welcome_messages w WHERE w.convo_id = $1::text"
    " ORDER BY w.created_at, w.id";
constexpr const char* select_packages =
    "SELECT to_jsonb(p)::text FROM public.key_packages p WHERE p.id::text COLLATE \"C\" > $1::text"
    " ORDER BY p.id::text COLLATE \"C\" LIMIT $2::bigint";
constexpr const char* select_tables =
    "SELECT c.relname::text, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM"
    " public.%I', c.relname), false, true, '')))[1]::text FROM pg_class c"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
    " AND has_table_privilege(c.oid, 'SELECT') ORDER BY 1";
constexpr const char* select_identity =
    "SELECT md5(concat_ws('.', (SELECT system_identifier FROM pg_control_system()),"
    " (SELECT oid FROM pg_database WHERE datname = current_database()),"
    " 'public.conversations'::regclass::oid))";

/// One row as JSON: whichever of `names` is there.
class Fields {
 public:
  explicit Fields(dom::element row) : row_(row) {}

  std::string text(std::initializer_list<std::string_view> names) const {
    for (const auto name : names) {
      std::string_view text;
      if (row_[name].get(text) == simdjson::SUCCESS) return std::string(text);
      std::int64_t number = 0;
      if (row_[name].get(number) == simdjson::SUCCESS) return std::to_string(number);
    }
    return {};
  }
  std::int64_t number(std::initializer_list<std::string_view> names) const {
    for (const auto name : names) {
      std::int64_t number = 0;
      if (row_[name].get(number) == simdjson::SUCCESS) return number;
    }
    return 0;
  }
  bool flag(std::initializer_list<std::string_view> names) const {
    return std::ranges::any_of(names, [this](auto name) {
      bool value = false;
      return row_[name].get(value) == simdjson::SUCCESS && value;
    });
  }
  /// JSON has a timestamp as ISO 8601, without a zone where the column has none.
  std::optional<Timestamp> time(std::initializer_list<std::string_view> names) const {
    auto value = text(names);
    if (value.empty()) return std::nullopt;
    const bool zoned = value.ends_with('Z') || value.find('+', 10) != std::string::npos ||
                       value.find('-', 10) != std::string::npos;
    return from_rfc3339(zoned ? value : value + "Z");
  }
  /// JSON has bytea as "\\x" and hex; some columns hold the hex as text.
  Bytes bytes(std::initializer_list<std::string_view> names) const {
    auto value = text(names);
    if (value.starts_with("\\x")) value.erase(0, 2);
    return from_hex(value).value_or(Bytes{});
  }

 private:
  dom::element row_;
};

OldConvo convo_of(const Fields& row) {
  return {.id = row.text({"id"}),
          .group_id = row.text({"group_id"}),
          .creator = row.text({"creator_did"}),
          .suite = row.text({"cipher_suite"}),
          .name = row.text({"name"}),
          .epoch = row.number({"current_epoch"}),
          .created_at = row.time({"created_at"}).value_or(Timestamp{}),
          .group_info = row.bytes({"group_info"})};
}

OldMember member_of(const Fields& row) {
  return {.user = row.text({"user_did", "member_did"}),
          .device = row.text({"device_id"}),
          .admin = row.flag({"is_admin"}),
          .joined_at = row.time({"joined_at"}).value_or(Timestamp{}),
          .left_at = row.time({"left_at"}),
          .unread = row.number({"unread_count"})};
}

OldMessage message_of(const Fields& row) {
  return {.row = row.text({"row"}),
          .id = row.text({"id"}),
          .msg_id = row.text({"msg_id"}),
          .sender = row.text({"sender_did"}),
          .kind = row.text({"message_type"}),
          .epoch = row.number({"epoch"}),
          .seq = row.number({"seq"}),
          .at = row.time({"created_at"}).value_or(Timestamp{}),
          .head = row.bytes({"head"}),
          .size = row.number({"size"})};
}

OldWelcome welcome_of(const Fields& row) {
  return {.id = row.text({"id"}),
          .recipient = row.text({"recipient_did"}),
          .bytes = row.bytes({"welcome_data", "welcome"}),
          .hash = row.bytes({"key_package_hash"}),
          .consumed = row.flag({"consumed"}),
          .at = row.time({"created_at"}).value_or(Timestamp{})};
}

OldPackage package_of(const Fields& row) {
  const auto consumed_at = row.time({"consumed_at"});
  return {.id = row.text({"id"}),
          .owner = row.text({"owner_did", "did"}),
          .device = row.text({"device_id"}),
          .bytes = row.bytes({"key_data", "key_package"}),
          .consumed = row.flag({"consumed"}) || consumed_at.has_value(),
          .last_resort = row.flag({"is_last_resort", "last_resort"}),
          .created_at = row.time({"created_at"}).value_or(Timestamp{}),
          .expires_at = row.time({"expires_at"}),
          .consumed_at = consumed_at};
}

class PredecessorTables final : public Predecessor {
 public:
  Result<void> open(const std::string& url) {
    Timeouts none;
    none.statement = std::chrono::milliseconds(0);
    none.lock = std::chrono::milliseconds(0);
    none.idle_in_transaction = std::chrono::milliseconds(0);
    none.answer = std::chrono::hours(24);
    auto connection = Connection::open(url, Access::read, none, counters_);
    if (!connection) return std::unexpected(connection.error());
    db_ = std::move(*connection);
    auto found = has_predecessor(*db_);
    if (!found) return std::unexpected(found.error());
    if (!*found) {
      return fail(Errc::storage_unavailable,
                  "--from leads to a database without the predecessor's tables (conversations, "
                  "members, messages) in its schema public");
    }
    // One state from here to the end; ctid names a row as long as it lasts.
    if (auto begun = db_->execute("SET TimeZone = 'UTC'; BEGIN"); !begun) return begun;
    has_welcomes_ = exists("public.welcome_messages");
    has_packages_ = exists("public.key_packages");
    return {};
  }

  Result<std::vector<OldConvo>> convos(const std::string& after, std::size_t max) override {
    return list<OldConvo>(select_convos, {after, clamped(max)}, convo_of);
  }
  Result<std::vector<OldMember>> members(const std::string& convo) override {
    return list<OldMember>(select_members, {convo}, member_of);
  }
  Result<std::vector<OldMessage>> messages(const std::string& convo) override {
    return list<OldMessage>(head_and_size, {convo}, message_of);
  }
  Result<std::vector<OldWelcome>> welcomes(const std::string& convo) override {
    if (!has_welcomes_) return std::vector<OldWelcome>{};
    return list<OldWelcome>(select_welcomes, {convo}, welcome_of);
  }
  Result<std::vector<OldPackage>> packages(const std::string& after, std::size_t max) override {
    if (!has_packages_) return std::vector<OldPackage>{};
    return list<OldPackage>(select_packages, {after, clamped(max)}, package_of);
  }

  Result<std::vector<Bytes>> bodies(std::span<const std::string> rows) override {
    Column places(Column::Type::text);
    for (const auto& row : rows) places.add(row);
    Params params;
    places.add_to(params);
    auto found = db_->query(select_bodies, params);
    if (!found) return failure(found.error());
    std::map<std::string, Bytes> bytes;
    for (int i = 0; i < found->size(); ++i) bytes.emplace(found->text(i, 0), found->bytes(i, 1));
    std::vector<Bytes> out;
    for (const auto& row : rows) {
      const auto body = bytes.find(row);
      if (body == bytes.end()) return fail(Errc::internal, "a row has gone from its place");
      out.push_back(std::move(body->second));
    }
    return out;
  }

  Result<std::vector<OldTable>> tables() override {
    auto found = db_->query(select_tables);
    if (!found) return failure(found.error());
    std::vector<OldTable> out;
    out.reserve(static_cast<std::size_t>(found->size()));
    for (int i = 0; i < found->size(); ++i) {
      out.push_back({found->text(i, 0), std::stoll("0" + found->text(i, 1))});
    }
    return out;
  }

  Result<std::string> identity() override {
    auto found = db_->query(select_identity);
    if (!found) return failure(found.error());
    return found->text(0, 0);
  }

 private:
  /// What PostgreSQL said, for the operator: this is no server's answer to a client.
  std::unexpected<Error> failure(const Error& error) const {
    return fail(error.code, "reading the predecessor's tables: " + db_->last_error());
  }

  bool exists(const std::string& table) {
    auto found = db_->ask("SELECT to_regclass('" + table + "') IS NOT NULL");
    return found && *found == "t";
  }

  template <class T>
  Result<std::vector<T>> list(const char* sql, const Params& params, T (*make)(const Fields&)) {
    auto found = db_->query(sql, params);
    if (!found) return failure(found.error());
    std::vector<T> out;
    for (int i = 0; i < found->size(); ++i) {
      const auto text = found->text(i, 0);
      dom::element row;
      if (parser_.parse(text).get(row) != simdjson::SUCCESS) {
        return fail(Errc::internal, "PostgreSQL gave JSON that cannot be read");
      }
      out.push_back(make(Fields(row)));
    }
    return out;
  }

  Counters counters_;
  std::unique_ptr<Connection> db_;
  dom::parser parser_;
  bool has_welcomes_ = false;
  bool has_packages_ = false;
};

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<Predecessor>> Predecessor::open(const std::string& url) {
  auto tables = std::make_unique<postgres::PredecessorTables>();
  if (auto opened = tables->open(url); !opened) return std::unexpected(opened.error());
  return tables;
}

}  // namespace catbird::storage
