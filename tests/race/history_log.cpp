// SPDX-License-Identifier: MIT
#include "race/history_log.hpp"

#include <fmt/core.h>

#include <chrono>
#include <cstdlib>

namespace catbird::race {

namespace {

// steady_clock is CLOCK_MONOTONIC here, the clock that every writer of a history uses.
auto now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

void stop(const std::string& why) {
  fmt::print(stderr, "failed: {}\n", why);
  std::fflush(nullptr);
  std::_Exit(1);  // Other threads wait at a barrier; nobody may wait for them.
}

HistoryLog::HistoryLog(const std::string& path) : file_(std::fopen(path.c_str(), "we")) {
  if (file_ == nullptr) stop("cannot write " + path);
}

HistoryLog::~HistoryLog() { std::fclose(file_); }

std::uint64_t HistoryLog::begin(std::string_view op, std::string_view user,
                                std::string_view fields) {
  const std::lock_guard lock(mutex_);
  const auto n = ++count_;
  fmt::print(file_,
             R"({{"e":"invoke","n":{},"op":"{}","user":"{}"{},"t":{}}})"
             "\n",
             n, op, user, fields, now());
  return n;
}

void HistoryLog::end(std::uint64_t n, std::string_view outcome, std::string_view fields) {
  const auto ended = now();
  const std::lock_guard lock(mutex_);
  fmt::print(file_,
             R"({{"e":"{}","n":{},"t":{}{}}})"
             "\n",
             outcome, n, ended, fields);
}

}  // namespace catbird::race
