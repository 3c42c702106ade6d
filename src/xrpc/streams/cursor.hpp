// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace catbird::xrpc {

/// A place in the store-wide log (DECISIONS 16): opaque to clients, in commit order, bound to one
/// incarnation of the log so that a restored backup is noticed (L6).
struct StreamCursor {
  std::string incarnation;
  std::uint64_t position = 0;
};
std::string encode_cursor(const StreamCursor& cursor);
/// invalid_cursor for text that encode_cursor cannot have made.
Result<StreamCursor> decode_cursor(std::string_view text);

}  // namespace catbird::xrpc
