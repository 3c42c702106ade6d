// SPDX-License-Identifier: MIT
#pragma once

#include "storage/stores.hpp"
#include "support/temp_dir.hpp"

#include <memory>

namespace catbird::sim {

/// A folder for one real database, in memory if the machine has such a place; gone afterwards.
class Scratch {
 public:
  std::shared_ptr<storage::Stores> open() const;

 private:
  test::TempDir folder_{test::TempDir::in_memory()};
};

/// The same open store for several users of it: SQLite has one writing connection.
std::unique_ptr<storage::Stores> share(storage::Stores& stores);

}  // namespace catbird::sim
