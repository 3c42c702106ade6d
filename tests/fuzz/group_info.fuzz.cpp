// SPDX-License-Identifier: MIT
#include "fuzz/fuzz.hpp"
#include "mls/verify.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace catbird;
  using namespace catbird::testing;
  const ByteView input(data, size);
  check_round_trip(Kind::group_info, input);
  const auto info = mls::read_group_info(input);
  if (!info) return 0;
  const auto again = encode(*info);
  CATBIRD_CHECK(std::ranges::equal(again, input.last(again.size())));
  static_cast<void>(mls::verify_group_info(*info, info->confirmation_tag));
  for (const auto& extension : info->extensions) {
    check_round_trip(Kind::ratchet_tree, extension.data);
  }
  return 0;
}
