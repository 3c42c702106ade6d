// SPDX-License-Identifier: MIT
#pragma once

#include "app/config.hpp"
#include "base/result.hpp"
#include "storage/stores.hpp"
#include "xrpc/sender_tags.hpp"

#include <functional>
#include <memory>
#include <string>

namespace catbird::app {

/// The database that a configuration names, and the secret that belongs to it.
struct OpenedStore {
  std::unique_ptr<storage::Stores> stores;
  std::unique_ptr<xrpc::SenderTags> tags;
};
/// Makes both if they are not there. Fails with one line for the operator. `on_fatal`: see
/// SqliteOptions.
Result<OpenedStore> open_store(const Config& config, std::function<void(std::string)> on_fatal);

}  // namespace catbird::app
