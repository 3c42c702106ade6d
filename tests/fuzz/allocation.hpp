// SPDX-License-Identifier: MIT
#pragma once

#include "base/check.hpp"

#include <sanitizer/allocator_interface.h>

#include <cstddef>
#include <cstdio>

namespace catbird::testing {

/// Counts what this thread holds of the heap from its construction on. One at a time; for fuzzers,
/// which run on one thread under AddressSanitizer.
class HeapWatch {
 public:
  HeapWatch() {
    static const bool installed = __sanitizer_install_malloc_and_free_hooks(grow, shrink) > 0;
    CATBIRD_CHECK(installed && !counting);
    now = peak = 0;
    counting = true;
  }
  ~HeapWatch() { counting = false; }
  HeapWatch(const HeapWatch&) = delete;
  HeapWatch& operator=(const HeapWatch&) = delete;

  /// Aborts if at any moment since the construction more was held.
  void check_at_most(std::size_t bytes_max) const {
    if (peak <= static_cast<std::ptrdiff_t>(bytes_max)) return;
    std::fprintf(stderr, "held %td bytes of heap, allowed are %zu\n", peak, bytes_max);
    CATBIRD_CHECK(peak <= static_cast<std::ptrdiff_t>(bytes_max));
  }

 private:
  static void grow(const volatile void*, std::size_t size) {
    if (!counting) return;
    now += static_cast<std::ptrdiff_t>(size);
    if (now > peak) peak = now;
  }
  static void shrink(const volatile void* block) {
    if (!counting || block == nullptr) return;
    now -= static_cast<std::ptrdiff_t>(__sanitizer_get_allocated_size(block));
  }

  static inline thread_local bool counting = false;
  static inline thread_local std::ptrdiff_t now = 0;
  static inline thread_local std::ptrdiff_t peak = 0;
};

}  // namespace catbird::testing
