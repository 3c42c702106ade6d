// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"

#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace catbird::core {

/// The newest keys (msgId and idempotencyKey) of one conversation, at most key_window_max. Its
/// answer "not here" is final only if `complete()`: otherwise older keys are in the store.
class KeyWindow {
 public:
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
  std::map<std::string, KnownKey, std::less<>> known_;
  std::deque<std::string> order_;  // oldest first
  bool complete_ = true;
};

}  // namespace catbird::core
