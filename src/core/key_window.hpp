// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace catbird::core {

/// The newest keys (msgId and idempotencyKey) of one conversation, at most key_window_max. Its
/// answer "not here" is final only if `complete()`: otherwise older keys are in the store.
class KeyWindow {
 public:
  KeyWindow() = default;
  KeyWindow(KeyWindow&&) = default;
  KeyWindow& operator=(KeyWindow&&) = default;
  KeyWindow(const KeyWindow& other);  // the order points into the keys
  KeyWindow& operator=(const KeyWindow& other) { return *this = KeyWindow(other); }

  static std::string message_key(const MsgId& id);
  static std::string request_key(const Did& user, const RequestKey& key);

  /// Forgets the oldest when full.
  void add(KnownKey known);
  const KnownKey* find(std::string_view key) const;
  std::size_t size() const { return known_.size(); }
  bool complete() const { return complete_; }
  /// Says that keys exist which were not loaded.
  void set_incomplete() { complete_ = false; }
  void clear();

 private:
  struct ByKey {
    using is_transparent = void;  // NOLINT(readability-identifier-naming)
    std::size_t operator()(std::string_view key) const {
      return std::hash<std::string_view>{}(key);
    }
    std::size_t operator()(const KnownKey& known) const { return (*this)(known.key); }
    bool operator()(const auto& a, const auto& b) const { return text(a) == text(b); }
    static std::string_view text(std::string_view key) { return key; }
    static std::string_view text(const KnownKey& known) { return known.key; }
  };
  // Never walked through, so that nothing depends on its order.
  std::unordered_set<KnownKey, ByKey, ByKey> known_;
  std::vector<const KnownKey*> order_;  // oldest first, from `oldest_` on and round
  std::size_t oldest_ = 0;
  bool complete_ = true;
};

}  // namespace catbird::core
