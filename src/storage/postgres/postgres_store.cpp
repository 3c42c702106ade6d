// SPDX-License-Identifier: MIT
#include "storage/postgres/postgres_store.hpp"

#include "obs/log.hpp"
#include "storage/postgres/cleaner.hpp"
#include "storage/postgres/connector.hpp"
#include "storage/postgres/instance.hpp"
#include "storage/postgres/migrations.hpp"
#include "storage/postgres/reader.hpp"
#include "storage/postgres/schema.hpp"
#include "storage/postgres/writer.hpp"

#include <functional>
#include <utility>
#include <vector>

namespace catbird::storage {

namespace postgres {
namespace {

constexpr std::string_view log_target = "catbird_server::storage";

Timeouts timeouts_of(const PostgresOptions& options) {
  Timeouts timeouts;
  timeouts.statement = options.statement_timeout;
  timeouts.lock = options.lock_timeout;
  timeouts.idle_in_transaction = options.idle_in_transaction_timeout;
  timeouts.answer = options.statement_timeout + std::chrono::seconds(2);
  return timeouts;
}

/// A migration may take as long as it takes, and so may the wait for another process's.
Result<void> with_patience(const std::string& url, Counters& counters,
                           const std::function<Result<void>(Connection&)>& work) {
  Timeouts patient;
  patient.answer = std::chrono::hours(24 * 7);
  auto connection = Connection::open(url, Access::write, patient, counters);
  if (!connection) return std::unexpected(connection.error());
  return work(**connection);
}

class PostgresStores final : public Stores {
 public:
  explicit PostgresStores(PostgresOptions options)
      : options_(std::move(options)), timeouts_(timeouts_of(options_)) {}

  Result<void> open() {
    auto connection = Connection::open(options_.url, Access::write, timeouts_, counters_);
    if (!connection) return std::unexpected(connection.error());
    if (auto safe = check_server(**connection); !safe) return safe;
    if (auto ready = ready_schema(**connection); !ready) return ready;
    if (auto same = claim_secret(**connection, options_.secret_fingerprint); !same) return same;
    auto incarnation = incarnation_of(**connection);
    if (!incarnation) return std::unexpected(incarnation.error());
    incarnation_ = std::move(*incarnation);
    connection->reset();
    auto instance = Instance::join(options_.url, timeouts_, counters_, options_.exclusive);
    if (!instance) return std::unexpected(instance.error());
    instance_ = std::move(*instance);
    for (std::size_t i = 0; i < options_.lanes; ++i) {
      writers_.push_back(std::make_unique<PostgresWriter>(
          Connector(options_.url, Access::write, timeouts_, counters_, again())));
    }
    return {};
  }

  ConvoStore& writer() override { return *writers_.front(); }
  std::size_t lanes() const override { return writers_.size(); }
  ConvoStore& lane(std::size_t index) override { return *writers_.at(index); }
  bool alone() const override { return instance_->alone(); }

  Result<std::unique_ptr<Reader>> open_reader() override {
    return std::make_unique<PostgresReader>(
        Connector(options_.url, Access::read, timeouts_, counters_, again()));
  }

  Result<std::unique_ptr<Cleaner>> open_cleaner() override {
    const auto& url = options_.cleanup_url.empty() ? options_.url : options_.cleanup_url;
    return std::make_unique<PostgresCleaner>(
        Connector(url, Access::write, timeouts_, counters_, again()));
  }

  std::string incarnation() const override { return incarnation_; }
  std::string name() const override { return "postgres"; }

  StoreStats stats() const override {
    StoreStats stats;
    stats.commits = counters_.commits;
    stats.corrupt_rows = counters_.corrupt_rows;
    stats.connections = static_cast<std::uint64_t>(counters_.open.load());
    stats.connections_lost = counters_.connections_lost;
    stats.splits = counters_.splits;
    return stats;
  }

 private:
  /// Asked of every connection. A failover may lead to a server that is less careful than the one
  /// we started on, or that has another history.
  Connector::Check again() {
    return [this](Connection& connection) -> Result<void> {
      if (auto safe = check_server(connection); !safe) return safe;
      auto now = incarnation_of(connection);
      if (!now) return std::unexpected(now.error());
      if (*now == incarnation_) return {};
      constexpr const char* what =
          "the database has another history than at the start (a failover, or a restored backup)";
      if (options_.on_fatal) options_.on_fatal(what);
      return fail(Errc::storage_unavailable, what);
    };
  }

  Result<void> ready_schema(Connection& connection) {
    auto version = schema_version(connection);
    if (!version) return std::unexpected(version.error());
    auto old = has_predecessor(connection);
    if (!old) return std::unexpected(old.error());
    if (*old) {
      obs::log(obs::Level::info, log_target,
               "this database holds tables of the predecessor: they are left alone; to copy them, "
               "stop this server and run catbird-mls-server import-predecessor --from URL "
               "(docs/migration.md)");
    }
    if (*version == migrations().size()) return {};
    return with_patience(options_.url, counters_,
                         [](Connection& own) { return migrate(own, migrations()); });
  }

  PostgresOptions options_;
  Timeouts timeouts_;
  Counters counters_;
  std::string incarnation_;
  std::unique_ptr<Instance> instance_;
  std::vector<std::unique_ptr<PostgresWriter>> writers_;
};

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<Stores>> open_postgres(const PostgresOptions& options) {
  auto stores = std::make_unique<postgres::PostgresStores>(options);
  if (auto opened = stores->open(); !opened) return std::unexpected(opened.error());
  return stores;
}

namespace postgres {
namespace {

/// A base, so that the counters are there before the connection and after it.
struct OwnCounters {
  Counters counters;
};
class OwnCleaner final : OwnCounters, public PostgresCleaner {
 public:
  explicit OwnCleaner(const std::string& url)
      : PostgresCleaner(Connector(url, Access::write, {}, counters, {})) {}
};

}  // namespace
}  // namespace postgres

Result<std::unique_ptr<Cleaner>> open_postgres_cleaner(const std::string& url) {
  postgres::Counters counters;
  auto connection = postgres::Connection::open(url, postgres::Access::read, {}, counters);
  if (!connection) return std::unexpected(connection.error());
  auto version = postgres::schema_version(**connection);
  if (!version) return std::unexpected(version.error());
  if (*version != postgres::migrations().size()) {
    return fail(Errc::storage_unavailable,
                "the schema is not up to date: run catbird-mls-server migrate as the owner role");
  }
  return std::make_unique<postgres::OwnCleaner>(url);
}

Result<void> migrate_postgres(const std::string& url, const Roles& roles) {
  postgres::Counters counters;
  return postgres::with_patience(url, counters, [&roles](postgres::Connection& own) {
    auto done = postgres::check_server(own);
    if (done) done = postgres::migrate(own, postgres::migrations());
    if (done) done = postgres::grant_roles(own, roles.app, roles.cleanup);
    return done;
  });
}

}  // namespace catbird::storage
