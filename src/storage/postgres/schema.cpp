// SPDX-License-Identifier: MIT
#include "storage/postgres/schema.hpp"

#include "storage/postgres/migrations.hpp"

#include <charconv>
#include <string_view>

namespace catbird::storage::postgres {

namespace {

std::unexpected<Error> refuse(std::string what) {
  return fail(Errc::storage_unavailable, std::move(what));
}

std::size_t number_in(const std::string& text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// Statements of a script; none of ours has a semicolon at the end of a line inside $$ … $$.
std::vector<std::string> statements_of(std::string_view script) {
  std::vector<std::string> out;
  std::string current;
  bool quoted = false;
  while (!script.empty()) {
    const auto end = std::min(script.find('\n'), script.size());
    auto line = script.substr(0, end);
    script.remove_prefix(std::min(end + 1, script.size()));
    if (!quoted) line = line.substr(0, line.find("--"));
    while (line.ends_with(' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    for (auto at = line.find("$$"); at != line.npos; at = line.find("$$", at + 2)) {
      quoted = !quoted;
    }
    current.append(line).append("\n");
    if (quoted || !line.ends_with(';')) continue;
    out.push_back(std::move(current));
    current.clear();
  }
  return out;
}

/// A role's name as an identifier.
std::string quoted(const std::string& name) {
  std::string out = "\"";
  for (const char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

constexpr const char* locked_begin =
    "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
    " SELECT pg_advisory_xact_lock(1130513491, 3)";

constexpr std::string_view app_grants[] = {
    "SELECT ON ALL TABLES IN SCHEMA catbird",
    "SELECT, USAGE ON SEQUENCE catbird.message_position, catbird.fence",
    "EXECUTE ON FUNCTION catbird.first_seq_behind(bigint, bigint, bigint)",
    "INSERT ON catbird.meta, catbird.conversation, catbird.member, catbird.member_device",
    "INSERT ON catbird.message, catbird.idempotency, catbird.group_info, catbird.key_package",
    "INSERT ON catbird.welcome, catbird.welcome_recipient",
    "INSERT, UPDATE, DELETE ON catbird.device, catbird.push_token, catbird.push_notice",
    "INSERT, UPDATE, DELETE ON catbird.opt_in, catbird.pending_addition, catbird.chat_settings",
    "INSERT, UPDATE, DELETE ON catbird.chat_request, catbird.held_message, catbird.blocked_sender",
    "INSERT, UPDATE, DELETE ON catbird.subscription_ticket, catbird.key_package_claim",
    "INSERT ON catbird.notice, catbird.operator_act",
    "INSERT, UPDATE, DELETE ON catbird.suspension",
    "INSERT, UPDATE, DELETE ON catbird.convo_policy, catbird.moderator",
    "INSERT, UPDATE ON catbird.report, catbird.invite, catbird.block_conflict",
    "UPDATE (epoch, next_seq, version, owner_fence, last_message_at) ON catbird.conversation",
    "UPDATE (group_info_epoch, members, head_sum, checksum) ON catbird.conversation",
    "UPDATE (admin, join_seq, read_seq, joined_at, promoted_at) ON catbird.member",
    "UPDATE (left_seq, left_epoch, left_at, read_sum, checksum) ON catbird.member",
    "DELETE ON catbird.member_device",
    "UPDATE (epoch, at, body_sum, checksum, body) ON catbird.group_info",
    "UPDATE (state, checksum) ON catbird.welcome_recipient",
    "UPDATE (state, last_resort, reserved_by, reserved_until) ON catbird.key_package",
    "UPDATE (consumed_at, body_sum, checksum, body) ON catbird.key_package",
};
constexpr std::string_view cleanup_grants[] = {
    "SELECT ON ALL TABLES IN SCHEMA catbird",
    "UPDATE (body_sum, checksum, body) ON catbird.message",
    "UPDATE (first_seq, checksum) ON catbird.conversation",
    "DELETE ON catbird.idempotency, catbird.welcome, catbird.welcome_recipient",
    "DELETE ON catbird.key_package",
};

Result<void> grant(Connection& connection, std::span<const std::string_view> grants,
                   const std::string& role) {
  if (role.empty()) return {};
  // What an earlier version granted and this one does not must go.
  std::string sql = "REVOKE ALL ON ALL TABLES IN SCHEMA catbird FROM " + quoted(role) +
                    "; REVOKE ALL ON ALL SEQUENCES IN SCHEMA catbird FROM " + quoted(role) +
                    "; GRANT USAGE ON SCHEMA catbird TO " + quoted(role) + ";";
  for (const auto one : grants) {
    sql.append(" GRANT ").append(one).append(" TO ").append(quoted(role)).append(";");
  }
  return connection.execute(sql);
}

Result<void> run_scripts(Connection& connection, std::span<const char* const> scripts,
                         const StatementHook& hook) {
  if (auto made = connection.execute("CREATE SCHEMA IF NOT EXISTS catbird"); !made) {
    return refuse(
        "this database role may not create the schema: run catbird-mls-server migrate "
        "as the owner role (" +
        connection.last_error() + ")");
  }
  auto from = schema_version(connection);
  if (!from) return std::unexpected(from.error());
  for (auto next = *from; next < scripts.size(); ++next) {
    for (const auto& statement : statements_of(scripts[next])) {
      if (hook && !hook()) return refuse("stopped");
      if (auto done = connection.execute(statement); !done) {
        return refuse("migration " + std::to_string(next + 1) + ": " + connection.last_error());
      }
    }
    const auto number = std::to_string(next + 1);
    auto done = connection.execute("INSERT INTO meta (key, value) VALUES ('schema', '" + number +
                                   "') ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    if (!done) return done;
  }
  return {};
}

}  // namespace

Result<void> check_server(Connection& connection) {
  constexpr std::string_view must_be_on[] = {"fsync", "full_page_writes", "synchronous_commit"};
  for (const auto name : must_be_on) {
    auto value = connection.ask("SHOW " + std::string(name));
    if (!value) return std::unexpected(value.error());
    if (*value == "on" || *value == "remote_apply") continue;
    return refuse("unsafe storage: PostgreSQL has " + std::string(name) + " = " + *value +
                  "; set it to on (in postgresql.conf, or ALTER ROLE … RESET)");
  }
  auto standby = connection.ask("SELECT pg_is_in_recovery()");
  if (!standby) return std::unexpected(standby.error());
  if (*standby != "f") return refuse("DATABASE_URL leads to a standby: name the primary");
  auto encoding = connection.ask("SHOW server_encoding");
  if (!encoding) return std::unexpected(encoding.error());
  if (*encoding != "UTF8") return refuse("the database's encoding must be UTF8, not " + *encoding);
  return {};
}

Result<std::size_t> schema_version(Connection& connection) {
  auto tables = connection.ask(
      "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('catbird')"
      " AND relkind = 'r') || ' ' || coalesce(to_regclass('catbird.meta')::text, '')");
  if (!tables) return std::unexpected(tables.error());
  if (tables->starts_with("0 ")) return 0;
  if (tables->ends_with(' ')) return refuse("the schema catbird belongs to another program");
  auto text = connection.ask("SELECT value FROM catbird.meta WHERE key = 'schema'");
  if (!text) return std::unexpected(text.error());
  const auto version = number_in(*text);
  if (version > migrations().size()) {
    return refuse("the database has schema " + *text + ", newer than this program's " +
                  std::to_string(migrations().size()));
  }
  return version;
}

Result<void> migrate(Connection& connection, std::span<const char* const> scripts,
                     const StatementHook& hook) {
  // No deadline for what a migration does, nor for waiting until another process has done it.
  auto done = connection.execute(locked_begin);
  if (!done) return done;
  done = run_scripts(connection, scripts, hook);
  if (done) return connection.execute("COMMIT");
  connection.roll_back();
  return done;
}

Result<void> grant_roles(Connection& connection, const std::string& app,
                         const std::string& cleanup) {
  // One at a time, as migrate(): PostgreSQL refuses grants on one schema that meet.
  auto done =
      connection.execute(std::string(locked_begin) + "; REVOKE ALL ON SCHEMA catbird FROM PUBLIC");
  if (done) done = grant(connection, app_grants, app);
  if (done) done = grant(connection, cleanup_grants, cleanup);
  if (done) return connection.execute("COMMIT");
  const auto why = connection.last_error();
  connection.roll_back();
  return refuse("the roles could not be granted: " + why);
}

Result<void> claim_secret(Connection& connection, const std::string& fingerprint) {
  if (fingerprint.empty()) return {};
  auto noted = connection.query(
      "INSERT INTO meta (key, value) VALUES ('secret', $1::text) ON CONFLICT DO NOTHING",
      {fingerprint});
  if (!noted) return std::unexpected(noted.error());
  auto found = connection.query("SELECT value FROM meta WHERE key = 'secret'");
  if (!found) return std::unexpected(found.error());
  if (!found->empty() && found->text(0, 0) == fingerprint) return {};
  return refuse(
      "this database was made with another secret: put that server's secret file at "
      "CATBIRD_SECRET_FILE");
}

Result<std::string> incarnation_of(Connection& connection) {
  return connection.ask(
      "SELECT md5(concat_ws('.', (SELECT system_identifier FROM pg_control_system()),"
      " substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),"
      " (SELECT oid FROM pg_database WHERE datname = current_database()),"
      " to_regnamespace('catbird')::oid, to_regclass('catbird.message_position')::oid))");
}

Result<bool> has_predecessor(Connection& connection) {
  auto found = connection.ask(
      "SELECT to_regclass('public.conversations') IS NOT NULL"
      " AND to_regclass('public.messages') IS NOT NULL AND to_regclass('public.members') IS NOT "
      "NULL");
  if (!found) return std::unexpected(found.error());
  return *found == "t";
}

}  // namespace catbird::storage::postgres
