// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/events.hpp"
#include "core/snapshot.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

// The write side: what the commit lane hands to a backend. Calls block, and only the lane's thread
// makes them. design/engine.md "A lane transaction".

namespace catbird::storage {

/// Store-private handle of a conversation row; 0 = not known, look it up by id.
using RowHandle = std::int64_t;

/// What one activation wants to write, decided on the state it names: applied all or none, and only
/// if the stored row is exactly as expected.
struct WriteSet {
  core::ConvoId convo;
  RowHandle row = 0;
  bool creates = false;   // the conversation must not exist yet
  core::Fence seen;       // owner_fence as loaded (or as this activation last wrote)
  core::Fence fence;      // ours; written, and never lower than `seen`
  core::Version version;  // expected; becomes version + 1
  core::Seq last_seq;     // expected N
  core::Epoch epoch;      // expected
  core::Seq new_last_seq;
  core::Epoch new_epoch;
  std::vector<core::Event> events;  // in decision order
};

/// Whether an event takes a position in the log. Within a set they go in the order of its events,
/// which has rows before notices (check_write_set).
inline bool takes_position(const core::Event& event) {
  return std::holds_alternative<core::RowAppended>(event) ||
         std::holds_alternative<core::Noted>(event);
}

enum class CommitStatus : std::uint8_t {
  committed,  // durable
  fenced,     // the row was not as expected: someone else wrote, or an earlier set of this batch
              // failed
  rejected,   // a constraint refused this set alone; `error` says which rule
  failed,     // definitely not written (error before COMMIT was sent)
  unknown,    // COMMIT was sent and its result is not known
};

struct WriteResult {
  CommitStatus status = CommitStatus::failed;
  Error error{};                     // for everything but committed
  RowHandle row = 0;                 // committed: for the next write set
  std::uint64_t first_position = 0;  // committed: of its first row or notice; see takes_position().
                                     // Consecutive from there and above all of earlier batches.
                                     // Within a batch a store may write one conversation before
                                     // another; holes are allowed
};

class Reader;
class UserWriter;

/// A short write outside any conversation (key packages, Welcomes), sharing the lane's transaction.
/// `run` may be called more than once (a failed batch is taken apart) and must then do the same
/// again; it reports failure of this job alone by its result, which undoes the job's own writes.
struct UserJob {
  std::function<Result<void>(UserWriter&)> run;
};

/// A notice in the log.
struct PlacedNotice {
  core::ConvoId convo;
  std::uint64_t position = 0;
  core::Noted noted;
};

struct UserResult {
  CommitStatus status = CommitStatus::failed;
  Error error{};
  std::vector<PlacedNotice> notices;  // committed: what the job noted
};

struct BatchResult {
  std::vector<WriteResult> sets;
  std::vector<UserResult> jobs;
};

/// A request of the direct gateway (ENABLE_ACTOR_SYSTEM=false), decided under the write lock. The
/// reader sees the store as it is inside the transaction; the fence is one drawn for this request.
/// Gives the set to apply, which outlives the call, or null to leave the store as it is.
using Decide = std::function<Result<const WriteSet*>(Reader&, core::Fence)>;

/// One writer per process (SQLite) or per lane. Owner of durability.
class ConvoStore {
 public:
  virtual ~ConvoStore() = default;
  /// One transaction. Sets of one conversation stand in decision order, and once one of them is not
  /// committed the later ones of that conversation are fenced. A set or job that breaks a
  /// constraint is left out and the others commit. Statuses are in the order given.
  virtual BatchResult commit(std::span<const WriteSet> sets, std::span<const UserJob> jobs) = 0;
  /// One transaction: lock, decide, write, commit. `decide` runs at most once. Its own error is
  /// `failed` with that error; nothing to write is `committed`.
  virtual WriteResult transact(const Decide& decide) = 0;
  /// Draws this process's fence: greater than every one drawn before, durable when returned.
  virtual Result<core::Fence> draw_fence() = 0;
  /// Called by the lane when nothing is pending: maintenance such as a WAL checkpoint.
  virtual void idle() {}
};

}  // namespace catbird::storage
