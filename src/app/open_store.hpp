// SPDX-License-Identifier: MIT
#pragma once

#include "app/config.hpp"
#include "base/result.hpp"
#include "storage/stores.hpp"
#include "xrpc/sender_tags.hpp"
#include "xrpc/token_seal.hpp"

#include <functional>
#include <memory>
#include <string>

namespace catbird::app {

/// The database that a configuration names, and what is made of the secret that belongs to it.
struct OpenedStore {
  std::unique_ptr<storage::Stores> stores;
  std::unique_ptr<xrpc::SenderTags> tags;
  std::unique_ptr<xrpc::TokenSeal> seal;
};
/// Makes all if they are not there. Fails with one line for the operator. `on_fatal`: see
/// SqliteOptions.
Result<OpenedStore> open_store(const Config& config, std::function<void(std::string)> on_fatal);

}  // namespace catbird::app
