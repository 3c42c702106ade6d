// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

// Every limit of the rules, by name, unit last. docs/operations.md lists them.

namespace catbird::core {

/// DECISIONS 13: no stored blob above this, so that a page with one row stays below 10 MiB.
inline constexpr std::size_t blob_bytes_max = 7 * 1024 * 1024;
/// A page ends here even if the row limit is not reached; it always holds at least one row.
inline constexpr std::size_t page_bytes_max = 8 * 1024 * 1024 - 512 * 1024;
inline constexpr std::size_t members_max = 1000;
inline constexpr std::size_t add_dids_max = 50;                  // lexicon addMembers.didList
inline constexpr std::size_t claim_dids_max = 100;               // lexicon getKeyPackages.dids
inline constexpr std::size_t key_packages_batch_max = 100;       // lexicon publishKeyPackages
inline constexpr std::size_t key_package_bytes_max = 48 * 1024;  // 65,536 base64 characters
inline constexpr std::size_t key_packages_per_device_max = 200;
inline constexpr std::size_t key_packages_low = 5;     // stats: needsReplenish below this
inline constexpr std::size_t name_bytes_max = 128;     // lexicon metadata.name: bytes of UTF-8
inline constexpr std::size_t group_id_bytes_max = 64;  // lexicon: 128 hex characters
inline constexpr std::size_t request_key_bytes_max = 128;
/// Where a conversation may begin: far from any end, also of a JSON number.
inline constexpr std::uint64_t creation_epoch_max = std::uint64_t{1} << 48U;
/// Newest keys kept with an activation; older ones are found in the store (DECISIONS 1).
inline constexpr std::size_t key_window_max = 1024;
inline constexpr std::int64_t key_package_life_ms_max = 90LL * 24 * 3600 * 1000;  // DECISIONS 14
inline constexpr std::int64_t row_time_bucket_ms = 2000;  // times of rows are rounded down to this
inline constexpr std::int64_t reservation_ms = 5LL * 60 * 1000;           // DECISIONS 14
inline constexpr std::int64_t welcome_life_ms = 90LL * 24 * 3600 * 1000;  // DECISIONS 15

}  // namespace catbird::core
