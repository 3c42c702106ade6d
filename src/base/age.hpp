// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace catbird {

/// Whether what was kept at `since` is younger than `life_ms`. False also if the clock went back
/// behind `since`: such an age says nothing.
inline bool is_within(std::int64_t since, std::int64_t now, std::int64_t life_ms) {
  return now >= since && now - life_ms < since;
}

}  // namespace catbird
