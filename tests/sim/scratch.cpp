// SPDX-License-Identifier: MIT
#include "sim/scratch.hpp"

#include "base/check.hpp"
#include "storage/sqlite/sqlite_store.hpp"

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

}  // namespace

std::shared_ptr<storage::Stores> Scratch::open() const {
  storage::SqliteOptions options;
  options.path = folder_.file("sim.db");
  options.writer_cache_kib = 2048;
  options.reader_cache_kib = 1024;
  auto stores = storage::open_sqlite(options);
  CATBIRD_CHECK(stores.has_value());
  return std::move(*stores);
}

std::unique_ptr<storage::Stores> share(storage::Stores& stores) {
  return std::make_unique<Shared>(stores);
}

}  // namespace catbird::sim
