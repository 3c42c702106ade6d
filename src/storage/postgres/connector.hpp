// SPDX-License-Identifier: MIT
#pragma once

#include "storage/postgres/connection.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace catbird::storage::postgres {

/// Keeps one connection open: makes it again after it was lost, no more often than a backoff
/// allows, so that a database that is away costs a refusal and not a wait (circuit breaker).
class Connector {
 public:
  /// Asked of every new connection; its error refuses it.
  using Check = std::function<Result<void>(Connection&)>;
  Connector(std::string url, Access access, Timeouts timeouts, Counters& counters, Check check);

  /// The open connection, in no transaction. Fails at once while the backoff lasts.
  Result<Connection*> get();

 private:
  static constexpr std::chrono::milliseconds backoff_min{50};
  static constexpr std::chrono::milliseconds backoff_max{1'000};

  std::string url_;
  Access access_;
  Timeouts timeouts_;
  Counters* counters_;
  Check check_;
  std::unique_ptr<Connection> connection_;
  std::chrono::milliseconds backoff_{0};
  std::chrono::steady_clock::time_point next_try_{};
};

}  // namespace catbird::storage::postgres
