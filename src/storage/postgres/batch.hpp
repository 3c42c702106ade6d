// SPDX-License-Identifier: MIT
#pragma once

#include "storage/convo_store.hpp"
#include "storage/postgres/connection.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

// The one statement that writes the ordinary write sets of a whole lane batch: rows without a
// Welcome or a change of the roster, their request records, and read marks. design/cluster.md 3.3.

namespace catbird::storage::postgres {

/// True if every event of the set is one that the statement writes, and the row is known.
bool is_plain(const WriteSet& set);

/// Plain write sets of any number of conversations; those of one conversation are merged (expected
/// values of the first, new ones of the last) and must stand on one another.
class PlainBatch {
 public:
  /// `index` is given back by outcome(). False if the set does not stand on the one before it: then
  /// it cannot be written and is not added.
  bool add(const WriteSet& set, std::size_t index);
  bool empty() const { return convos_.empty(); }
  Call call() const;

  struct Outcome {
    std::size_t index = 0;
    bool advanced = false;  // else its row was not as expected
    RowHandle row = 0;
    std::uint64_t first_position = 0;  // 0: it has no numbered row
  };
  std::vector<Outcome> outcome(const Rows& rows) const;

 private:
  struct Entry {
    const WriteSet* set = nullptr;
    std::size_t index = 0;
  };
  std::map<RowHandle, std::vector<Entry>> convos_;  // in the order in which rows are locked
};

/// Key of the advisory lock under which positions are drawn and their rows committed.
inline constexpr const char* lock_log = "SELECT pg_advisory_xact_lock(1130513491, 1)";
/// The same for one that only wants everything below the newest position to be resolved.
inline constexpr const char* share_log = "SELECT pg_advisory_xact_lock_shared(1130513491, 1)";

}  // namespace catbird::storage::postgres
