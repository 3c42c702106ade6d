// SPDX-License-Identifier: MIT
#include "fuzz/fuzz.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace catbird;
  using namespace catbird::testing;
  const ByteView input(data, size);
  check_round_trip(Kind::welcome, input);
  // Wrapped or bare, what was read is the end of the input.
  if (const auto welcome = mls::read_welcome(input)) {
    const auto again = encode(*welcome);
    CATBIRD_CHECK(std::ranges::equal(again, input.last(again.size())));
  }
  return 0;
}
