// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <optional>

namespace catbird::mls {

/// What a PublicMessage or PrivateMessage (RFC 9420 §6) says first.
struct FramingHead {
  ByteView group_id;
  std::uint64_t epoch = 0;
};

/// Of an MLSMessage, bare or in a padded frame, of which at least the beginning is there. Nothing
/// if it begins otherwise. What follows is not looked at: for rows that were accepted long ago. The
/// view points into `beginning`.
std::optional<FramingHead> read_framing_head(ByteView beginning);

}  // namespace catbird::mls
