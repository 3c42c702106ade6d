// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "storage/convo_store.hpp"
#include "storage/reader.hpp"
#include "storage/user_writer.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

// What every backend must answer alike, written once. Pure; called by backends only.

namespace catbird::storage {

/// A write set that contradicts itself (numbers with a gap, an epoch that does not follow, a
/// creation that creates nothing) is a bug of its maker: internal. Nothing of it may be stored.
Result<void> check_write_set(const WriteSet& set);

/// What a KeyWindow name says. A message key has only `id`.
struct KeyName {
  std::optional<core::MsgId> id;
  core::Did user;
  std::string method;
  std::string key;
};
/// Nothing if the text is not a KeyWindow name.
std::optional<KeyName> parse_key(std::string_view name);

/// Bounds of a page. `rows_max` 0: as many as the bytes allow; `bytes_max` 0: page_bytes_max.
class PageBudget {
 public:
  PageBudget(std::size_t rows_max, std::size_t bytes_max);
  /// True if one more row of `bytes` belongs to the page: the first always does.
  bool take(std::size_t bytes);

 private:
  std::size_t rows_max_;
  std::size_t bytes_max_;
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
};

/// Estimate of the JSON of one conversation in a listing.
std::size_t json_bytes(const ConvoView& view);

/// A pointer to a Welcome of one user in one conversation.
struct WelcomePointer {
  std::int64_t id = 0;
  core::DeviceId device;  // empty: addressed to the whole user
  bool pending = false;
  Timestamp at;
};
/// Which Welcome a device reads and confirms, as an index into `pointers` (oldest first). Its own;
/// else one addressed to the whole user, unless this device was addressed by itself later than
/// that. Never another device's (K7). A caller without a device id is the user's only device as far
/// as anyone can tell (DECISIONS 15): the newest pending one, whatever device it names.
std::optional<std::size_t> choose_welcome(std::span<const WelcomePointer> pointers,
                                          const core::DeviceId& device, Timestamp now);

/// An unconsumed key package of one user and suite.
struct PackageState {
  std::int64_t id = 0;
  core::DeviceId device;
  bool last_resort = false;
  Timestamp not_after;
  std::optional<core::Did> reserved_by;
  Timestamp reserved_until;

  /// A reservation is over at its end; so is the package's life.
  bool reserved_at(Timestamp now) const { return reserved_by && reserved_until > now; }
};
struct PackageChoice {
  std::size_t index = 0;
  bool reserves = false;  // false: a last-resort one
};
/// UserWriter::reserve's choice: at most one per device, ordered by device. `packages` in order of
/// publication; expired ones are passed over.
/// `taken`: see core::drained_pool_min.
std::vector<PackageChoice> choose_packages(std::span<const PackageState> packages,
                                           const core::Did& caller, Timestamp now,
                                           std::span<const PackageTaken> taken = {});
/// When a reservation made now ends: after reservation_ms, or with the package.
Timestamp reservation_end(Timestamp now, Timestamp not_after);
/// KeyPackagesConsumed's condition. A last-resort package is used, and stays.
bool may_consume(const PackageState& package, const core::Did& user, Timestamp at);

/// The packages UserWriter::revoke looks at.
inline PackageQuery live_of(const core::Caller& owner) {
  PackageQuery query;
  query.user = owner.user;
  query.device = owner.device;
  query.now = Timestamp(0);
  return query;
}
/// Which of them it takes.
bool to_revoke(const Bytes& hash, const PackageState& state,
               const std::optional<std::vector<Bytes>>& only, Timestamp now);

}  // namespace catbird::storage
