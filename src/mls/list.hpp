// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <cstddef>
#include <iterator>

namespace catbird::mls {

namespace detail {
/// Decodes the first item of `items` and returns how many bytes it took. Defined in list.cpp for
/// each item type of types.hpp. Precondition: a parser has accepted `items`.
template <class T>
std::size_t decode_item(ByteView items, T& item);
}  // namespace detail

/// A `T items<V>` of RFC 9420 §2.1.2 that stays encoded: its items are decoded while one walks
/// over it. So no parser allocates, whatever a peer sends: a tree of a million blank nodes costs
/// what its bytes cost.
///
/// Only parsers fill a List, after every item has been checked; walking cannot fail. Items come by
/// value (`for (const auto& item : list)`): keep a copy, not a pointer to one. `at(i)` walks, so
/// loop with the iterator instead of the index. Valid as long as the parsed buffer.
template <class T>
class List {
 public:
  class Iterator {
   public:
    // NOLINTBEGIN(readability-identifier-naming): the standard library asks for these names.
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = T;
    // NOLINTEND(readability-identifier-naming)

    Iterator() = default;
    explicit Iterator(ByteView items) : rest_(items) { load(); }

    T operator*() const { return item_; }
    Iterator& operator++() {
      rest_ = rest_.subspan(item_bytes_);
      load();
      return *this;
    }
    Iterator operator++(int) {
      auto before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.rest_.size() == b.rest_.size();
    }

   private:
    void load() {
      item_ = T{};
      item_bytes_ = rest_.empty() ? 0 : detail::decode_item(rest_, item_);
    }

    ByteView rest_;
    std::size_t item_bytes_ = 0;
    T item_{};
  };
  using value_type = T;             // NOLINT(readability-identifier-naming)
  using const_iterator = Iterator;  // NOLINT(readability-identifier-naming)

  List() = default;
  /// For parsers only: `items` holds exactly `count` well-formed items.
  List(ByteView items, std::size_t count) : items_(items), count_(count) {}

  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  Iterator begin() const { return Iterator(items_); }
  Iterator end() const { return Iterator(); }
  /// The first item; precondition: not empty().
  T front() const { return *begin(); }
  /// Item `index`, found by walking; precondition: index < size().
  T at(std::size_t index) const {
    auto item = begin();
    for (; index > 0; --index) ++item;
    return *item;
  }
  /// The encoded items, without the length before them.
  ByteView encoded() const { return items_; }

 private:
  ByteView items_;
  std::size_t count_ = 0;
};

/// Whether `list` holds `wanted`.
template <class T>
bool contains(const List<T>& list, const T& wanted) {
  for (const auto& item : list) {
    if (item == wanted) return true;
  }
  return false;
}

}  // namespace catbird::mls
