// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <utility>

namespace catbird {

/// A distinct type for every identifier and quantity, so arguments cannot be swapped by accident.
template <class T, class Tag>
struct Strong {
  T value{};

  constexpr Strong() = default;
  constexpr explicit Strong(T v) : value(std::move(v)) {}
  friend auto operator<=>(const Strong&, const Strong&) = default;
};

}  // namespace catbird
