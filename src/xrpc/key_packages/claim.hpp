// SPDX-License-Identifier: MIT
#pragma once

#include "storage/user_writer.hpp"

#include <vector>

namespace catbird::xrpc {

/// UserWriter::reserve() for somebody who asks: what was handed out within core::drain_window_ms is
/// on record, so that nobody, under however many names, takes more than half of a pool (K5, G31).
Result<std::vector<storage::ReservedKeyPackage>> claim_packages(storage::UserWriter& writer,
                                                                storage::ReserveQuery query);

}  // namespace catbird::xrpc
