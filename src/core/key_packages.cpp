// SPDX-License-Identifier: MIT
#include "core/key_packages.hpp"

#include "core/limits.hpp"
#include "mls/verify.hpp"

#include <algorithm>
#include <limits>

namespace catbird::core {

namespace {

constexpr std::int64_t skew_ms = 30'000;

// Lifetimes are seconds in 64 bits and may be "eternal": saturate.
std::int64_t to_ms(std::uint64_t seconds) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max() / 1000;
  return seconds > static_cast<std::uint64_t>(most) ? std::numeric_limits<std::int64_t>::max()
                                                    : static_cast<std::int64_t>(seconds) * 1000;
}

}  // namespace

Result<KeyPackageTerms> key_package_terms(const mls::KeyPackage& package,
                                          std::optional<Timestamp> expires, Timestamp now) {
  const auto from = to_ms(package.leaf.lifetime.not_before);
  auto until = to_ms(package.leaf.lifetime.not_after);
  if (from > now.value + skew_ms) {
    return fail(Errc::invalid_key_package, "the key package is not valid yet");
  }
  if (expires) until = std::min(until, expires->value);
  if (until <= now.value) return fail(Errc::invalid_key_package, "the key package has expired");
  return KeyPackageTerms{Timestamp(std::min(until, now.value + key_package_life_ms_max)),
                         mls::is_last_resort(package)};
}

}  // namespace catbird::core
