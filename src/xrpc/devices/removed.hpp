// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "xrpc/task.hpp"

namespace catbird::xrpc {

struct Services;

/// Ends the streams here of devices that were removed at another server of the same store; the
/// server that removes one ends its own at once. Called every few seconds.
Task<Result<void>> end_removed_devices(Services* services);

}  // namespace catbird::xrpc
