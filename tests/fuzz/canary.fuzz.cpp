// SPDX-License-Identifier: MIT
#include <cstddef>
#include <cstdint>

namespace {

/// What a careless reader does: behind a header it trusts a length without looking at what remains.
unsigned careless_sum(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t header_bytes = 5;
  if (size < header_bytes) return 0;
  if (data[0] != 0x00 || data[1] != 0x01 || data[2] != 0x00 || data[3] != 0x05) return 0;
  unsigned sum = 0;
  for (std::size_t i = 0; i < data[4]; ++i) sum += data[header_bytes + i];
  return sum;
}

// Keeps the sum, and with it the reads, from being optimised away.
volatile unsigned result = 0;

}  // namespace

/// Must crash: the fuzzers are worth nothing where this one runs to its end.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  result = careless_sum(data, size);
  return 0;
}
