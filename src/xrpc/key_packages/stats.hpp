// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"

#include <vector>

namespace catbird::xrpc {

/// Over all suites; `suite` means nothing in it, `oldest_expiry` is the earliest.
storage::SuiteStats sum_of(const std::vector<storage::SuiteStats>& all);

}  // namespace catbird::xrpc
