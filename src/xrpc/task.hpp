// SPDX-License-Identifier: MIT
#pragma once

#include "base/check.hpp"

#include <coroutine>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

// A lazy coroutine for endpoints: it continues on whatever thread gave the answer, so an endpoint
// needs no executor and its file no Asio (docs/adr/0003). Rules: parameters by value, no lock
// across co_await, no braced temporary or lambda inside co_await (style.md 5).

namespace catbird::xrpc {

template <class T>
class [[nodiscard]] Task {
 public:
  struct promise_type {
    std::optional<T> value;
    std::exception_ptr error;
    std::coroutine_handle<> continuation = std::noop_coroutine();

    Task get_return_object() {
      return Task(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Resume {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
          return done.promise().continuation;
        }
        void await_resume() noexcept {}
      };
      return Resume{};
    }
    void return_value(T result) { value.emplace(std::move(result)); }
    void unhandled_exception() { error = std::current_exception(); }
  };

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> continuation) noexcept {
    handle_.promise().continuation = continuation;
    return handle_;
  }
  T await_resume() {
    auto& promise = handle_.promise();
    if (promise.error) std::rethrow_exception(promise.error);
    CATBIRD_CHECK(promise.value.has_value());
    return std::move(*promise.value);
  }

 private:
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

/// Awaits one callback: `co_await wait` where `Wait<T> wait(start)` and start(done) calls done(T)
/// exactly once, at once or later, on any thread. Passing `done` on must be the last thing start
/// does: the coroutine may have ended when it returns.
template <class T>
class Wait {
 public:
  using Done = std::move_only_function<void(T)>;

  explicit Wait(std::move_only_function<void(Done)> start) : start_(std::move(start)) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    auto start = std::move(start_);
    start([this, waiting](T value) {
      value_.emplace(std::move(value));
      waiting.resume();
    });
  }
  T await_resume() { return std::move(*value_); }

 private:
  std::move_only_function<void(Done)> start_;
  std::optional<T> value_;
};

/// Starts a task nobody waits for; `done` gets its value, `failed` whatever it threw.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }  // run_detached catches everything
  };
};
template <class T>
Detached run_detached(Task<T> task, std::move_only_function<void(T)> done,
                      std::function<T(const std::exception&)> failed) {
  std::optional<T> value;
  try {
    value.emplace(co_await task);
  } catch (const std::exception& error) {
    value.emplace(failed(error));
  }
  done(std::move(*value));
}

}  // namespace catbird::xrpc
