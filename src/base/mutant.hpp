// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#ifdef CATBIRD_MUTANTS
#include <cstdlib>
#endif

namespace catbird {

/// Planted bugs, for testing the tests: tests/mutants/mutants.tsv says what each one is and who
/// must find it, `script/mutants` runs them. One is switched on by CATBIRD_MUTANT, in the build
/// preset `mutants` only; in every other build this is false at compile time and leaves nothing
/// behind.
#ifdef CATBIRD_MUTANTS
inline bool mutant(std::string_view name) {
  static const std::string_view chosen = [] {
    const char* value = std::getenv("CATBIRD_MUTANT");
    return std::string_view(value == nullptr ? "" : value);
  }();
  return name == chosen;
}
#else
constexpr bool mutant(std::string_view) { return false; }
#endif

}  // namespace catbird
