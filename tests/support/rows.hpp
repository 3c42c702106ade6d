// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"

#include <utility>
#include <vector>

namespace catbird::test {

/// The rows of a page, or its error.
inline Result<std::vector<storage::Row>> rows_of(Result<storage::Page> page) {
  if (!page) return std::unexpected(std::move(page.error()));
  return std::move(page->rows);
}

}  // namespace catbird::test
