// SPDX-License-Identifier: MIT
#include "storage/postgres/connector.hpp"

#include "obs/log.hpp"

#include <algorithm>
#include <utility>

namespace catbird::storage::postgres {

namespace {
constexpr std::string_view log_target = "catbird_server::storage";
}

Connector::Connector(std::string url, Access access, Timeouts timeouts, Counters& counters,
                     Check check)
    : url_(std::move(url)),
      access_(access),
      timeouts_(timeouts),
      counters_(&counters),
      check_(std::move(check)) {}

Result<Connection*> Connector::get() {
  using std::chrono::steady_clock;
  if (connection_ && !connection_->lost()) {
    if (!connection_->in_transaction()) return connection_.get();
    // What a failed attempt left behind.
    if (connection_->execute("ROLLBACK")) return connection_.get();
  }
  if (connection_) {
    obs::log(obs::Level::warn, log_target,
             "database connection lost: " + connection_->last_error());
    connection_.reset();
  }
  const auto now = steady_clock::now();
  if (now < next_try_) return fail(Errc::storage_unavailable, "the database is away");
  auto opened = Connection::open(url_, access_, timeouts_, *counters_);
  if (opened && check_) {
    if (auto good = check_(**opened); !good) opened = std::unexpected(good.error());
  }
  if (!opened) {
    backoff_ = std::clamp(backoff_ * 2, backoff_min, backoff_max);
    next_try_ = steady_clock::now() + backoff_;
    if (backoff_ == backoff_min || backoff_ == backoff_max) {
      obs::log(obs::Level::warn, log_target, opened.error().detail);
    }
    return std::unexpected(opened.error());
  }
  backoff_ = std::chrono::milliseconds(0);
  connection_ = std::move(*opened);
  return connection_.get();
}

}  // namespace catbird::storage::postgres
