// SPDX-License-Identifier: MIT
#pragma once

#include "auth/replay_journal.hpp"
#include "auth/replay_set.hpp"
#include "base/result.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace catbird::auth {

struct ReplayOptions {
  std::size_t entries_max = 0;
  std::string journal_path;  // empty: memory only
  BootId boot{};
  std::uint64_t seed = 0;
  std::uint32_t life_seconds = 0;  // the longest a used token can stay valid
  std::size_t rotate_bytes_min = 0;
  std::uint32_t now = 0;  // seconds since 1970
};

struct TokenUse {
  std::string_view iss;
  std::string_view jti;
  std::int64_t issued = 0;  // the earliest second it may have been issued
  std::int64_t expiry = 0;  // the second from which it is refused anyway
};

/// Single use of (iss, jti), over restarts too (quality S3, DECISIONS 19). Thread-safe.
class ReplayGuard {
 public:
  /// Fails only if no journal can be kept at the given path.
  static Result<std::unique_ptr<ReplayGuard>> open(const ReplayOptions& options);

  /// Succeeds once for a token, when its use is recorded. Fails with unauthenticated (used before),
  /// token_from_before (it may have been used where we have no record), overloaded (full) or
  /// storage_unavailable (its use can neither be recorded nor shown as unrecorded).
  Result<void> use(const TokenUse& token, std::uint32_t now);

 private:
  explicit ReplayGuard(const ReplayOptions& options);
  void notice_time(std::uint32_t now);
  bool record(const ReplayEntry& entry, std::uint32_t now);

  ReplaySet set_;
  std::uint32_t life_seconds_;
  std::atomic<std::uint32_t> blind_before_;
  std::atomic<std::uint32_t> latest_now_;
  std::mutex journal_mutex_;
  std::unique_ptr<ReplayJournal> journal_;  // null: memory only
  std::uint32_t retry_at_ = 0;
};

}  // namespace catbird::auth
