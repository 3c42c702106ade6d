// SPDX-License-Identifier: MIT
#include "storage/postgres/instance.hpp"

#include "obs/log.hpp"

#include <chrono>
#include <utility>

namespace catbird::storage::postgres {

namespace {

constexpr std::string_view log_target = "catbird_server::storage";
constexpr std::chrono::milliseconds look_every{500};
constexpr std::chrono::milliseconds answer_max{1'000};

}  // namespace

Result<std::unique_ptr<Instance>> Instance::join(std::string url, Timeouts timeouts,
                                                 Counters& counters, bool exclusive) {
  // The connection is idle outside any transaction; nothing may end it but its loss. Whether the
  // lock still is ours must be known soon: answers from memory hang on it.
  timeouts.answer = answer_max;
  std::unique_ptr<Instance> instance(new Instance(std::move(url), timeouts, counters, exclusive));
  if (auto locked = instance->lock(); !locked) return std::unexpected(locked.error());
  instance->thread_ = std::thread([self = instance.get()] { self->watch(); });
  return instance;
}

Instance::~Instance() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<void> Instance::lock() {
  auto connection = Connection::open(url_, Access::read, timeouts_, counters_);
  if (!connection) return std::unexpected(connection.error());
  auto got = (*connection)
                 ->ask(exclusive_ ? "SELECT pg_try_advisory_lock(1130513491, 2)"
                                  : "SELECT pg_try_advisory_lock_shared(1130513491, 2)");
  if (!got) return std::unexpected(got.error());
  if (*got != "t") {
    return fail(Errc::storage_unavailable,
                exclusive_ ? "DATABASE_EXCLUSIVE=true, but another server uses this database"
                           : "another server uses this database with DATABASE_EXCLUSIVE=true");
  }
  connection_ = std::move(*connection);
  alone_.store(exclusive_, std::memory_order_release);
  return {};
}

void Instance::watch() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, look_every, [this] { return stopping_; });
    if (stopping_) return;
    lock.unlock();
    if (connection_ && !connection_->ask("SELECT 1") && connection_->lost()) {
      alone_.store(false, std::memory_order_release);
      connection_.reset();
      if (exclusive_) {
        obs::log(obs::Level::warn, log_target,
                 "the lock of DATABASE_EXCLUSIVE is lost: answers from memory are confirmed until "
                 "it is back");
      }
    }
    if (!connection_) {
      [[maybe_unused]] const auto locked = this->lock();  // else the next look
    }
    lock.lock();
  }
}

}  // namespace catbird::storage::postgres
