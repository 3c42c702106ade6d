// SPDX-License-Identifier: MIT
#include "app/commands.hpp"

#include "app/import.hpp"
#include "app/open_store.hpp"
#include "app/retention.hpp"
#include "app/secret.hpp"
#include "app/system_clock.hpp"
#include "auth/service_auth.hpp"
#include "http/fetch.hpp"
#include "storage/sqlite/sqlite_store.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>

namespace catbird::app {

namespace {

constexpr std::size_t token_id_bytes = 16;

Timestamp now() { return SystemClock().now(); }

Result<void> copy_secret(const std::string& from, const std::string& to) {
  std::error_code error;
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing, error);
  if (!error) {
    std::filesystem::permissions(
        to, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error);
  }
  if (!error) return {};
  return fail(Errc::storage_unavailable,
              "cannot copy the secret file " + from + " to " + to + ": " + error.message());
}

}  // namespace

Result<void> print_token(const Config& config, const TokenRequest& request) {
  if (!config.development || config.jwt_secret.empty()) {
    return fail(Errc::invalid_request,
                "development tokens need CATBIRD_DEV=true and JWT_SECRET (32 bytes or more), the "
                "same as the server's");
  }
  if (!auth::is_valid_did(request.did.substr(0, request.did.find('#')))) {
    return fail(Errc::invalid_request, "--did is not a DID");
  }
  const auto token = auth::mint_dev_token(
      config.jwt_secret, request.did, config.service_did, request.lxm, now(),
      std::chrono::seconds(request.ttl_seconds), to_hex(random_bytes(token_id_bytes)));
  std::printf("%s\n", token.c_str());
  return {};
}

int healthcheck(const Config& config) {
  boost::asio::io_context io{1};
  auto fetcher = http::Fetcher::create(io);
  const auto any = config.server.host == "0.0.0.0" || config.server.host == "::";
  const auto host = any ? std::string("127.0.0.1") : config.server.host;
  const auto bracketed = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  http::FetchRequest request;
  request.url = "http://" + bracketed + ":" + std::to_string(config.server.port) + "/health/ready";
  request.reach = http::Reach::operator_url;
  bool ready = false;
  std::string answer = "no answer";
  fetcher->get(std::move(request), [&](Result<http::FetchReply> reply) {
    ready = reply && reply->status == 200;
    answer = reply ? reply->body : reply.error().detail;
  });
  io.run();
  std::printf("%s\n", answer.c_str());
  return ready ? 0 : 1;
}

Result<void> backup(const Config& config, const std::string& path) {
  if (!config.postgres_url.empty()) {
    return fail(Errc::invalid_request,
                "backup is for SQLite: use pg_dump or pg_basebackup (docs/postgresql.md)");
  }
  auto copied = storage::backup_sqlite(config.sqlite_path, path);
  if (!copied) return copied;
  if (auto secret = copy_secret(config.secret_path, path + ".secret"); !secret) return secret;
  std::printf("backup written to %s, its secret to %s.secret\n", path.c_str(), path.c_str());
  return {};
}

Result<void> restore(const Config& config, const std::string& path, bool replace) {
  if (!config.postgres_url.empty()) {
    return fail(Errc::invalid_request,
                "restore is for SQLite: use pg_restore (docs/postgresql.md)");
  }
  if (!std::filesystem::exists(path + ".secret")) {
    return fail(Errc::storage_unavailable, "the backup has no secret file " + path + ".secret");
  }
  // The new secret stands ready before the database is touched; the old one is kept with the old
  // data. A restore that is killed in between is simply run again.
  const auto fresh = config.secret_path + ".restoring";
  if (auto secret = copy_secret(path + ".secret", fresh); !secret) return secret;
  auto restored = storage::restore_sqlite(
      path, config.sqlite_path, replace ? storage::Existing::replace : storage::Existing::refuse);
  if (!restored) {
    std::error_code ignored;
    std::filesystem::remove(fresh, ignored);
    return restored;
  }
  if (std::filesystem::exists(config.secret_path)) {
    auto kept = copy_secret(config.secret_path, config.secret_path + ".before-restore");
    if (!kept) return kept;
  }
  std::error_code error;
  std::filesystem::rename(fresh, config.secret_path, error);
  if (error) {
    return fail(Errc::storage_unavailable,
                "cannot put the secret file in place: " + error.message());
  }
  std::printf("restored to %s; start the server\n", config.sqlite_path.c_str());
  return {};
}

Result<void> migrate(const Config& config, const storage::Roles& roles) {
  if (config.postgres_url.empty()) {
    return fail(Errc::invalid_request,
                "migrate is for PostgreSQL: set DATABASE_URL (SQLite migrates at start)");
  }
  if (auto done = storage::migrate_postgres(config.postgres_url, roles); !done) return done;
  std::printf("the schema is up to date\n");
  return {};
}

Result<void> import_predecessor(const Config& config, const std::string& from) {
  auto old = storage::Predecessor::open(from);
  if (!old) return std::unexpected(old.error());
  auto alone = config;
  alone.database_exclusive = true;  // refused while a server uses the database
  auto opened = open_store(alone, {});
  if (!opened) return std::unexpected(opened.error());
  std::uint64_t remarks = 0;
  Import import(
      {.from = **old,
       .to = *opened->stores,
       .tag = [&](const auto& convo, const auto& user) { return opened->tags->of(convo, user); },
       .now = now,
       .remark =
           [&](const std::string& line) {
             ++remarks;
             std::printf("! %s\n", line.c_str());
           }});
  auto counts = import.run();
  if (!counts) {
    return fail(counts.error().code,
                "the import stopped; run it again to go on: " + counts.error().detail);
  }
  auto say = [](const char* what, std::uint64_t number) {
    std::printf("%10llu %s\n", static_cast<unsigned long long>(number), what);
  };
  say("conversations", counts->convos);
  say("conversations already here from an earlier run", counts->already_there);
  say("members", counts->members);
  say("messages and commits", counts->messages);
  say("Welcomes not yet read", counts->welcomes);
  say("key packages", counts->key_packages);
  say("used key packages, remembered", counts->used_packages);
  say("messages with a new number", counts->renumbered);
  say("conversations with new numbers", counts->convos_renumbered);
  say("conversations and key packages not carried", counts->refused);
  say("remarks above (!)", remarks);
  return {};
}

Result<void> cleanup(const Config& config) {
  if (config.postgres_url.empty()) {
    return fail(Errc::invalid_request,
                "cleanup is for PostgreSQL: with SQLite the running server does it "
                "(CLEANUP_INTERVAL_SECS)");
  }
  const auto& url = config.cleanup_url.empty() ? config.postgres_url : config.cleanup_url;
  auto cleaner = storage::open_postgres_cleaner(url);
  if (!cleaner) return std::unexpected(cleaner.error());
  RetentionPass pass(config.retention, now());
  while (!pass.over()) {
    auto next = pass.step(**cleaner);
    if (!next) return std::unexpected(next.error());
    pass = *next;
  }
  std::printf("removed %s\n", pass.removed().text().c_str());
  return {};
}

}  // namespace catbird::app
