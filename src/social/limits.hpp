// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

// Every bound of social/, by name, unit last.

namespace catbird::social {

inline constexpr std::int64_t fresh_ms = 300'000;         // a list is read again after this
inline constexpr std::int64_t unreachable_ms = 60'000;    // "does not answer" is kept so long
inline constexpr std::int64_t stale_ms_max = 86'400'000;  // a list stands in so long for no answer
inline constexpr std::size_t records_per_page = 100;      // listRecords' own maximum
inline constexpr std::size_t pages_max = 100;             // of one list: 10,000 blocks
inline constexpr std::size_t page_bytes_max = 262'144;
inline constexpr std::size_t subject_bytes_max = 2'048;  // a DID, AT Protocol
inline constexpr std::size_t uri_bytes_max = 2'600;      // at://, a DID, collection and record key
inline constexpr std::size_t cursor_bytes_max = 1'024;
inline constexpr std::size_t services_max = 64;   // of one DID document
inline constexpr std::size_t flights_max = 16;    // lists read at the same time
inline constexpr std::size_t queued_max = 4'096;  // lists waiting for that
inline constexpr std::size_t waiters_per_list_max = 1'024;
inline constexpr std::size_t lists_max = 100'000;        // known users
inline constexpr std::size_t blocks_kept_max = 500'000;  // over all lists: about 100 MB at most

}  // namespace catbird::social
