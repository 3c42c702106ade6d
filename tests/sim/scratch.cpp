// SPDX-License-Identifier: MIT
#include "sim/scratch.hpp"

#include "base/check.hpp"
#include "storage/postgres/postgres_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "support/postgres.hpp"
#include "support/temp_dir.hpp"

#include <utility>

namespace catbird::sim {

namespace {

class Shared final : public storage::Stores {
 public:
  explicit Shared(storage::Stores& stores) : stores_(stores) {}
  storage::ConvoStore& writer() override { return stores_.writer(); }
  Result<std::unique_ptr<storage::Reader>> open_reader() override { return stores_.open_reader(); }
  std::string incarnation() const override { return stores_.incarnation(); }
  std::string name() const override { return stores_.name(); }

 private:
  storage::Stores& stores_;
};

class SqliteScratch final : public Scratch {
 public:
  std::shared_ptr<storage::Stores> open() const override {
    storage::SqliteOptions options;
    options.path = folder_.file("sim.db");
    options.writer_cache_kib = 2048;
    options.reader_cache_kib = 1024;
    auto stores = storage::open_sqlite(options);
    CATBIRD_CHECK(stores.has_value());
    return std::move(*stores);
  }

 private:
  test::TempDir folder_{test::TempDir::in_memory()};
};

class PostgresScratch final : public Scratch {
 public:
  std::shared_ptr<storage::Stores> open() const override {
    auto stores = storage::open_postgres({.url = database_.url()});
    CATBIRD_CHECK(stores.has_value());
    return std::move(*stores);
  }

 private:
  test::PostgresDatabase database_;
};

}  // namespace

std::unique_ptr<Scratch> Scratch::make(Backend backend) {
  CATBIRD_CHECK(backend != Backend::memory);
  if (backend == Backend::sqlite) return std::make_unique<SqliteScratch>();
  return std::make_unique<PostgresScratch>();
}

std::unique_ptr<storage::Stores> share(storage::Stores& stores) {
  return std::make_unique<Shared>(stores);
}

}  // namespace catbird::sim
