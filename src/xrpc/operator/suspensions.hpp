// SPDX-License-Identifier: MIT
#pragma once

#include "core/types.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <iterator>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

namespace catbird::xrpc {

/// Who is suspended, as the store said last; asked at every request. Thread-safe.
class Suspensions {
 public:
  bool contains(const core::Did& user) const {
    if (none_.load()) return false;
    const std::shared_lock lock(mutex_);
    return users_.contains(user.value);
  }
  /// Gives those that were not suspended before.
  std::vector<core::Did> replace(std::set<std::string> users) {
    const std::unique_lock lock(mutex_);
    std::vector<std::string> fresh;
    std::ranges::set_difference(users, users_, std::back_inserter(fresh));
    users_ = std::move(users);
    none_ = users_.empty();
    std::vector<core::Did> found;
    found.reserve(fresh.size());
    for (auto& user : fresh) found.emplace_back(std::move(user));
    return found;
  }

 private:
  mutable std::shared_mutex mutex_;
  std::set<std::string> users_;
  std::atomic<bool> none_ = true;
};

}  // namespace catbird::xrpc
