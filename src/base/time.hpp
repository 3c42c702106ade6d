// SPDX-License-Identifier: MIT
#pragma once

#include "base/strong.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace catbird {

/// Wall-clock milliseconds since 1970-01-01T00:00:00Z. Never used to order anything: seq, epoch
/// and store positions do that, so a jumping clock cannot reorder a conversation.
using Timestamp = Strong<std::int64_t, struct TimestampTag>;

/// RFC 3339 in UTC with milliseconds and `Z`, e.g. 2026-11-25T08:05:09.120Z.
std::string to_rfc3339(Timestamp time);
/// Any RFC 3339 date-time (fraction and offset optional in length); nothing if malformed.
std::optional<Timestamp> from_rfc3339(std::string_view text);

/// The wall clock as a seam: production reads the system, tests and the simulator set it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp now() const = 0;
};

}  // namespace catbird
