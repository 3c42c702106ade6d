// SPDX-License-Identifier: MIT
#include "fuzz/fuzz.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace catbird;
  using namespace catbird::testing;
  const ByteView input(data, size);
  const auto message = mls::strip_padding(input);
  if (!message) return 0;
  // The message lies inside the input, at its start or behind a length, with only zeros after it.
  const auto start = static_cast<std::size_t>(message->data() - data);
  CATBIRD_CHECK(start == 0 || start == 4);
  CATBIRD_CHECK(start + message->size() <= size);
  const auto rest = input.subspan(start + message->size());
  CATBIRD_CHECK(std::ranges::all_of(rest, [](std::uint8_t byte) { return byte == 0; }));
  CATBIRD_CHECK(start == 4 || rest.empty());
  return 0;
}
