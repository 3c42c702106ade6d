// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <string>

namespace catbird::app {

/// The server's own key (DECISIONS 23): made with mode 0600 at the first start; missing beside
/// existing data it is an error, because every sender tag in that data depends on it.
Result<Bytes> open_secret(const std::string& path, bool data_exists);

/// Random bytes from the operating system.
Bytes random_bytes(std::size_t size);

}  // namespace catbird::app
