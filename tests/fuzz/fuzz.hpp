// SPDX-License-Identifier: MIT
#pragma once

#include "base/check.hpp"
#include "support/mls_samples.hpp"

#include <algorithm>

namespace catbird::testing {

/// What must hold for any input: it is refused, or written again it is the same bytes. Writing
/// walks over every list, so a List that a parser filled wrongly ends here too.
inline void check_round_trip(Kind kind, ByteView input) {
  const auto again = reencoded(kind, input);
  CATBIRD_CHECK(!again || std::ranges::equal(*again, input));
}

}  // namespace catbird::testing
