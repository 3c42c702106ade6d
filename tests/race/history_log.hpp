// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

namespace catbird::race {

/// Ends the program with status 1 and one line, the log written: what a scenario asserts failed.
[[noreturn]] void stop(const std::string& why);
inline void expect(bool good, const std::string& why) {
  if (!good) stop(why);
}

/// What clients saw, in the form of tests/checker/history.py. Thread-safe.
class HistoryLog {
 public:
  explicit HistoryLog(const std::string& path);
  ~HistoryLog();
  HistoryLog(const HistoryLog&) = delete;
  HistoryLog& operator=(const HistoryLog&) = delete;

  /// `fields` is JSON text beginning with a comma, or empty. Gives the number of the request. Call
  /// it before the first byte is sent, and end() after the last one came.
  std::uint64_t begin(std::string_view op, std::string_view user, std::string_view fields);
  void end(std::uint64_t n, std::string_view outcome, std::string_view fields);

 private:
  std::mutex mutex_;
  std::FILE* file_;
  std::uint64_t count_ = 0;
};

}  // namespace catbird::race
