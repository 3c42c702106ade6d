// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <memory>
#include <utility>

namespace catbird::app {

/// An Executor on an io_context that exactly one thread runs.
class IoExecutor final : public actors::Executor {
 public:
  explicit IoExecutor(boost::asio::io_context& io) : io_(io) {}

  void post(actors::Task task) override { boost::asio::post(io_, std::move(task)); }
  void post_after(std::chrono::milliseconds delay, actors::Task task) override {
    auto timer = std::make_unique<boost::asio::steady_timer>(io_, delay);
    auto& waiting = *timer;
    waiting.async_wait([timer = std::move(timer), task = std::move(task)](auto error) mutable {
      if (!error) task();
    });
  }
  actors::Instant now() const override {
    return std::chrono::duration_cast<actors::Instant>(
        std::chrono::steady_clock::now().time_since_epoch());
  }

 private:
  boost::asio::io_context& io_;
};

}  // namespace catbird::app
