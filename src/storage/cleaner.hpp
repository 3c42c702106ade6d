// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/types.hpp"
#include "storage/convo_store.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace catbird::storage {

/// Rows that one step may change: it stands between other writes and must not hold them up.
inline constexpr std::uint64_t clean_rows_max = 200;

/// What retention takes away, step by step (DECISIONS 25; docs/adr/0014). Each call is one
/// transaction, or part of the lane's; calls block. A step changes at most clean_rows_max rows.
class Cleaner {
 public:
  virtual ~Cleaner() = default;

  struct Expired {
    std::uint64_t bodies = 0;       // blanked by this step
    std::optional<RowHandle> next;  // go on behind this conversation; nothing: all were looked at
  };
  /// Looks at some conversations behind `after` and moves first_seq of the first one whose oldest
  /// readable message was sent before `before`. Bodies of application messages and proposals below
  /// first_seq are blank from then on; their seq, msgId and kind stay (O3), and so do commits.
  virtual Result<Expired> expire_messages(Timestamp before, RowHandle after) = 0;
  /// Answers kept for retries that were recorded before `before`, oldest first; how many went. Less
  /// than clean_rows_max: there are no more. Message ids are never forgotten (P2).
  virtual Result<std::uint64_t> forget_requests(Timestamp before) = 0;
  /// Pointers to Welcomes sent before `before`, and Welcomes that nobody points to any more.
  virtual Result<std::uint64_t> drop_welcomes(Timestamp before) = 0;
  /// Key packages that expired before `now` without being consumed. Consumed ones keep their names
  /// for ever, so that they are never stored, and handed out, again (K3).
  virtual Result<std::uint64_t> drop_key_packages(Timestamp now) = 0;
};

}  // namespace catbird::storage
