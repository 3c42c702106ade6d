// SPDX-License-Identifier: MIT
#pragma once

#include "sim/swarm.hpp"
#include "storage/stores.hpp"

#include <memory>

namespace catbird::sim {

/// A place for one real database; gone afterwards. SQLite's is in memory if the machine has such a
/// folder, PostgreSQL's on the tests' server.
class Scratch {
 public:
  static std::unique_ptr<Scratch> make(Backend backend);
  virtual ~Scratch() = default;
  virtual std::shared_ptr<storage::Stores> open() const = 0;
};

/// The same open store for several users of it: SQLite has one writing connection.
std::unique_ptr<storage::Stores> share(storage::Stores& stores);

}  // namespace catbird::sim
