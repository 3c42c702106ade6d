// SPDX-License-Identifier: MIT
#pragma once

#include "storage/postgres/connection.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace catbird::storage::postgres {

/// This process among those that use the database, as a session lock on a connection of its own:
/// shared, or exclusive for DATABASE_EXCLUSIVE. A thread looks after the connection; while it is
/// away the process is not alone, whatever it was promised.
class Instance {
 public:
  /// Fails if the lock cannot be had at once.
  static Result<std::unique_ptr<Instance>> join(std::string url, Timeouts timeouts,
                                                Counters& counters, bool exclusive);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  /// Any thread.
  bool alone() const { return alone_.load(std::memory_order_acquire); }

 private:
  Instance(std::string url, Timeouts timeouts, Counters& counters, bool exclusive)
      : url_(std::move(url)), timeouts_(timeouts), counters_(counters), exclusive_(exclusive) {}
  Result<void> lock();
  void watch();

  std::string url_;
  Timeouts timeouts_;
  Counters& counters_;
  bool exclusive_;
  std::unique_ptr<Connection> connection_;
  std::atomic<bool> alone_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace catbird::storage::postgres
