// SPDX-License-Identifier: MIT
#include "http/worker.hpp"

#include "http/connection.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace catbird::http {
namespace {

using std::chrono::milliseconds;

/// Deadlines are found by a sweep over the worker's connections instead of a timer each: setting
/// one costs a store. They are late by at most this period, a quarter of the shortest.
milliseconds sweep_period(const ServerLimits& limits) {
  auto const shortest =
      std::min({limits.header_deadline, limits.body_deadline, limits.answer_deadline,
                limits.idle_deadline, limits.write_deadline});
  return std::clamp(shortest / 4, milliseconds(2), milliseconds(500));
}

}  // namespace

Worker::Worker(boost::asio::io_context& io, ServerState& state)
    : io_(io), state_(state), sweep_timer_(io), sweep_period_(sweep_period(state.limits)) {}

Worker::~Worker() {
  auto connections = std::exchange(connections_, {});
  for (auto& entry : connections) entry.second->close();
}

void Worker::adopt(const Accepted& accepted) {
  auto connection = std::make_shared<Connection>(*this, accepted);
  connections_.emplace(connection.get(), connection);
  arm_sweep();
  connection->start();
}

void Worker::forget(const Connection& connection) { connections_.erase(&connection); }

void Worker::drain() {
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(connections_.size());
  for (auto& entry : connections_) all.push_back(entry.second);
  for (auto& connection : all) connection->drain();
}

void Worker::arm_sweep() {
  if (sweep_armed_) return;
  sweep_armed_ = true;
  sweep_timer_.expires_after(sweep_period_);
  sweep_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;  // Cancelled: `this` may be gone.
    sweep();
  });
}

void Worker::sweep() {
  sweep_armed_ = false;
  auto const now = Clock::now();
  std::vector<std::shared_ptr<Connection>> late;
  for (auto& entry : connections_) {
    if (entry.second->deadline() <= now) late.push_back(entry.second);
  }
  for (auto& connection : late) connection->on_deadline();
  if (!connections_.empty()) arm_sweep();
}

}  // namespace catbird::http
