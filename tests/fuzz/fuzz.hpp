// SPDX-License-Identifier: MIT
#pragma once

#include "base/check.hpp"
#include "fuzz/allocation.hpp"
#include "support/mls_samples.hpp"

#include <algorithm>

namespace catbird::testing {

inline void parse_only(Kind kind, ByteView input) {
  switch (kind) {
    case Kind::message:
      return (void)mls::parse_message(input);
    case Kind::key_package:
      return (void)mls::parse_key_package(input);
    case Kind::welcome:
      return (void)mls::parse_welcome(input);
    case Kind::group_info:
      return (void)mls::parse_group_info(input);
    case Kind::ratchet_tree:
      return (void)mls::parse_ratchet_tree(input);
    case Kind::commit:
      return (void)mls::parse_commit(input);
    case Kind::proposal:
      return (void)mls::parse_proposal(input);
  }
}

/// What must hold for any input: it is refused, or written again it is the same bytes. Writing
/// walks over every list, so a List that a parser filled wrongly ends here too. And reading it
/// costs no more memory than eight times its size (quality G20).
inline void check_round_trip(Kind kind, ByteView input) {
  {
    const HeapWatch heap;
    parse_only(kind, input);
    constexpr std::size_t error_bytes = 256;  // the text of a refusal
    heap.check_at_most(8 * input.size() + error_bytes);
  }
  const auto again = reencoded(kind, input);
  CATBIRD_CHECK(!again || std::ranges::equal(*again, input));
}

}  // namespace catbird::testing
