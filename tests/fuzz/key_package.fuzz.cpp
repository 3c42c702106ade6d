// SPDX-License-Identifier: MIT
#include "fuzz/fuzz.hpp"
#include "mls/verify.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace catbird;
  using namespace catbird::testing;
  const ByteView input(data, size);
  check_round_trip(Kind::key_package, input);
  const auto package = mls::read_key_package(input);
  if (!package) return 0;
  const auto again = encode(*package);
  CATBIRD_CHECK(std::ranges::equal(again, package->raw));
  const bool known = mls::suite_by_id(package->cipher_suite) != nullptr;
  CATBIRD_CHECK(mls::key_package_ref(*package).has_value() == known);
  static_cast<void>(mls::is_last_resort(*package));
  CATBIRD_CHECK(known || !mls::check_key_package(*package));
  return 0;
}
