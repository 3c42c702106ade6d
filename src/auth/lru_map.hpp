// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace catbird::auth {

/// At most `size_max` values by name; the one not looked up for longest gives way. Not thread-safe.
template <class Value>
class LruMap {
 public:
  explicit LruMap(std::size_t size_max) : size_max_(size_max) {}

  /// Null if there is none. The pointer is good until the next call of put or erase.
  Value* find(std::string_view name) {
    const auto at = index_.find(name);
    if (at == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, at->second);
    return &at->second->second;
  }
  void put(std::string_view name, Value value) {
    if (Value* known = find(name)) {
      *known = std::move(value);
      return;
    }
    order_.emplace_front(std::string(name), std::move(value));
    index_.emplace(order_.front().first, order_.begin());
    if (order_.size() > size_max_) erase(order_.back().first);
  }
  void erase(std::string_view name) {
    const auto at = index_.find(name);
    if (at == index_.end()) return;
    const auto node = at->second;
    index_.erase(at);
    order_.erase(node);
  }
  /// The value not looked up for longest; nothing if there is none.
  std::optional<Value> take_oldest() {
    if (order_.empty()) return std::nullopt;
    auto value = std::move(order_.back().second);
    index_.erase(order_.back().first);
    order_.pop_back();
    return value;
  }
  std::size_t size() const { return order_.size(); }

 private:
  using Order = std::list<std::pair<std::string, Value>>;
  std::size_t size_max_;
  Order order_;
  std::unordered_map<std::string_view, typename Order::iterator> index_;  // names live in order_
};

}  // namespace catbird::auth
