// SPDX-License-Identifier: MIT
#pragma once

#include "storage/user_writer.hpp"
#include "xrpc/task.hpp"

#include <vector>

namespace catbird::xrpc {

struct Services;

/// After packages were handed out: every owner that listens at this server right now hears
/// `keyPackagesLow` once a device of its has fewer than core::key_packages_low left that nobody has
/// reserved. A hint only: getKeyPackageStats says the same to who was not listening.
Task<Result<void>> tell_low_stock(Services* services,
                                  const std::vector<storage::ReservedKeyPackage>* given);

}  // namespace catbird::xrpc
