// SPDX-License-Identifier: MIT
#include "app/open_store.hpp"

#include "app/secret.hpp"
#include "storage/postgres/postgres_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"

#include <filesystem>
#include <utility>

namespace catbird::app {

namespace {

Result<OpenedStore> open_file(const Config& config, std::function<void(std::string)> on_fatal) {
  std::error_code ignored;
  const bool exists = std::filesystem::exists(config.sqlite_path, ignored);
  // The secret first: a start that is killed in between must not leave data without it.
  auto secret = open_secret(config.secret_path, exists);
  if (!secret) return std::unexpected(secret.error());
  auto tags = std::make_unique<xrpc::SenderTags>(*secret);
  auto stores = storage::open_sqlite({.path = config.sqlite_path, .on_fatal = std::move(on_fatal)});
  if (!stores) return std::unexpected(stores.error());
  return OpenedStore{std::move(*stores), std::move(tags),
                     std::make_unique<xrpc::TokenSeal>(*secret)};
}

Result<OpenedStore> open_database(const Config& config, std::function<void(std::string)> on_fatal) {
  std::error_code ignored;  // the journal says why it cannot be opened
  const auto folder = std::filesystem::path(config.journal_path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
  auto secret = open_secret(config.secret_path, false);
  if (!secret) return std::unexpected(secret.error());
  auto tags = std::make_unique<xrpc::SenderTags>(*secret);
  const auto fingerprint = tags->of(core::ConvoId("fingerprint"), core::Did("fingerprint"));
  auto stores = storage::open_postgres({.url = config.postgres_url,
                                        .lanes = config.database_lanes,
                                        .exclusive = config.database_exclusive,
                                        .secret_fingerprint = to_hex(fingerprint),
                                        .cleanup_url = config.cleanup_url,
                                        .on_fatal = std::move(on_fatal)});
  if (!stores) return std::unexpected(stores.error());
  return OpenedStore{std::move(*stores), std::move(tags),
                     std::make_unique<xrpc::TokenSeal>(*secret)};
}

}  // namespace

Result<OpenedStore> open_store(const Config& config, std::function<void(std::string)> on_fatal) {
  if (!config.postgres_url.empty()) return open_database(config, std::move(on_fatal));
  return open_file(config, std::move(on_fatal));
}

}  // namespace catbird::app
