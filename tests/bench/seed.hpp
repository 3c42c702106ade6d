// SPDX-License-Identifier: MIT
#pragma once

#include "bench/traffic.hpp"
#include "storage/stores.hpp"

#include <memory>
#include <string>
#include <vector>

namespace catbird::bench {

/// `database`: sqlite:PATH or a PostgreSQL URL, as DATABASE_URL. Throws std::runtime_error.
std::unique_ptr<storage::Stores> open_stores(const std::string& database);

/// Writes the conversations of `groups` through the storage contract, as the engine would: much
/// faster than over HTTP, and what stands there afterwards is the same. Throws std::runtime_error.
void seed(storage::Stores& stores, const std::vector<Group>& groups);

}  // namespace catbird::bench
