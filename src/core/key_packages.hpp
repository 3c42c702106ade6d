// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/types.hpp"
#include "mls/types.hpp"

#include <optional>

namespace catbird::core {

/// What a checked upload may be used for, and until when.
struct KeyPackageTerms {
  Timestamp not_after;  // the earliest of the package's lifetime, `expires`, and 90 days
  bool last_resort = false;
};

/// The time rules of an upload whose bytes mls::check_key_package() accepted (RFC 9420 §7.2,
/// DECISIONS 14): already valid (30 s of skew), not expired, and a bound on how long it is kept.
/// Fails with invalid_key_package.
Result<KeyPackageTerms> key_package_terms(const mls::KeyPackage& package,
                                          std::optional<Timestamp> expires, Timestamp now);

}  // namespace catbird::core
