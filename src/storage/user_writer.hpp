// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/types.hpp"
#include "storage/convo_store.hpp"
#include "storage/table.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace catbird::storage {

class Cleaner;

struct NewKeyPackage {
  Bytes ref;
  Bytes hash;  // SHA-256 of `bytes`
  std::uint16_t suite = 0;
  bool last_resort = false;
  Timestamp not_after;  // DECISIONS 14: the minimum of all that bound it
  Bytes bytes;          // as uploaded
};
/// What is remembered of a package that was used: no bytes, and never a last resort again.
inline NewKeyPackage names_of(NewKeyPackage package) {
  package.last_resort = false;
  package.bytes.clear();
  return package;
}
enum class PublishResult : std::uint8_t { stored, duplicate, pool_full };

/// A package that was handed out a short while ago.
struct PackageTaken {
  std::int64_t id = 0;
  core::DeviceId device;
};
struct ReserveQuery {
  core::Did caller;
  core::Did target;
  std::optional<core::DeviceId> device;  // nothing: one of every device
  std::uint16_t suite = 0;
  Timestamp now;
  std::vector<PackageTaken> taken{};  // of the target and suite; holds back half of a pool (K5)
};
struct ReservedKeyPackage {
  core::Did user;
  core::DeviceId device;
  std::uint16_t suite = 0;
  Bytes hash, ref, bytes;
  bool last_resort = false;
  std::int64_t id = 0;
};

enum class WelcomeEnd : std::uint8_t { confirmed, superseded };
/// As the stores write it.
inline const char* state_of(WelcomeEnd end) {
  return end == WelcomeEnd::confirmed ? "confirmed" : "superseded";
}

/// Writes outside conversations, inside the lane's transaction: see UserJob. Everything here is
/// idempotent by nature or by constraint.
class UserWriter {
 public:
  virtual ~UserWriter() = default;
  /// The plain tables, in the same transaction.
  virtual TableWriter& tables() = 0;
  /// Stores one package; the same bytes again are `duplicate`; more than
  /// key_packages_per_device_max unconsumed ones of a device and suite: pool_full.
  virtual Result<PublishResult> publish(const core::Caller& owner, const NewKeyPackage& package,
                                        Timestamp now) = 0;
  /// Remembers the names of a package that was used elsewhere before, without its bytes, so that
  /// it is never stored (K3). For imports; `duplicate` if it is known.
  virtual Result<PublishResult> note_consumed(const core::Caller& owner,
                                              const NewKeyPackage& package, Timestamp at) = 0;
  /// At most one package per device and suite (RFC 9750 §5.1): the caller's live reservation if
  /// there is one (K2), else the oldest available unexpired one, which becomes reserved to the
  /// caller for reservation_ms; a last-resort one only when nothing else is left, never reserved.
  /// Of a large pool of which half was taken nothing more is given but that (K5).
  virtual Result<std::vector<ReservedKeyPackage>> reserve(const ReserveQuery& query) = 0;
  /// Takes packages of one device out of circulation for ever: all, or of `only` (SHA-256 of the
  /// upload) those that nobody has reserved at `now`. Gives how many.
  virtual Result<std::uint64_t> revoke(const core::Caller& owner,
                                       const std::optional<std::vector<Bytes>>& only,
                                       Timestamp now) = 0;
  /// Ends the pending Welcome of this device. False if there is none.
  virtual Result<bool> end_welcome(const core::ConvoId& convo, const core::Caller& device,
                                   Timestamp now, WelcomeEnd end) = 0;
  Result<bool> confirm_welcome(const core::ConvoId& convo, const core::Caller& device,
                               Timestamp now) {
    return end_welcome(convo, device, now, WelcomeEnd::confirmed);
  }
  /// The device cannot use it.
  Result<bool> discard_welcome(const core::ConvoId& convo, const core::Caller& device,
                               Timestamp now) {
    return end_welcome(convo, device, now, WelcomeEnd::superseded);
  }
  /// Puts a notice into the log of a conversation, with its N and epoch as they are. False if there
  /// is no such conversation. The lane tells the streams.
  Result<bool> note(const core::ConvoId& convo, core::Noted noted) {
    auto placed = place(convo, std::move(noted));
    if (!placed) return std::unexpected(placed.error());
    if (!*placed) return false;
    tell(std::move(**placed));
    return true;
  }
  /// Keeps a placed notice for take_notices().
  virtual void tell(PlacedNotice notice) { notices_.push_back(std::move(notice)); }
  /// What was noted since the last call: for the store, at a job's beginning and end.
  std::vector<PlacedNotice> take_notices() { return std::exchange(notices_, {}); }
  /// Retention inside the lane's transaction; null where it has a connection of its own
  /// (Stores::open_cleaner).
  virtual Cleaner* cleaner() { return nullptr; }

  /// Stores it behind everything in the log.
  virtual Result<std::optional<PlacedNotice>> place(const core::ConvoId& convo,
                                                    core::Noted noted) = 0;

 private:
  std::vector<PlacedNotice> notices_;
};

}  // namespace catbird::storage
