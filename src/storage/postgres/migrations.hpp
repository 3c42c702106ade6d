// SPDX-License-Identifier: MIT
#pragma once

#include <span>

namespace catbird::storage::postgres {

/// The text of migrations/NNNN_*.sql, put into the binary by CMake; migration i leads from schema
/// i to schema i + 1.
std::span<const char* const> migrations();

}  // namespace catbird::storage::postgres
