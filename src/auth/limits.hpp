// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// Every bound of auth/ that is not an option, by name, unit last.

namespace catbird::auth {

inline constexpr std::size_t token_bytes_max = 8'192;
inline constexpr std::size_t json_members_max = 64;  // of one object in a token
inline constexpr std::size_t json_depth_max = 16;    // of a token
inline constexpr std::size_t jti_bytes_max = 256;
inline constexpr std::size_t did_bytes_max = 2048;         // AT Protocol
inline constexpr std::size_t host_bytes_max = 253;         // RFC 1035
inline constexpr std::size_t device_bytes_max = 128;       // the fragment of `iss`
inline constexpr std::size_t secret_bytes_min = 32;        // HS256, DECISIONS 20
inline constexpr std::size_t document_bytes_max = 65'536;  // quality S7
inline constexpr std::size_t methods_max = 64;             // verificationMethod entries read
inline constexpr std::size_t multibase_bytes_max = 128;

inline constexpr std::size_t flights_max = 1024;             // DID fetches under way or starting
inline constexpr std::size_t waiters_per_flight_max = 1024;  // requests waiting for one DID
inline constexpr std::size_t negatives_max = 10'000;         // DIDs known to be unusable
inline constexpr std::int64_t negative_ms = 30'000;          // an answer "no such DID" is kept
inline constexpr std::int64_t unreachable_ms = 5'000;        // "no answer" is kept for one DID
inline constexpr std::int64_t silent_ms = 30'000;  // so long nobody known waits for the next try
inline constexpr std::size_t forced_refreshes_per_second_max = 50;  // quality S5
inline constexpr int breaker_failures = 5;                          // in a row: directory is down
inline constexpr std::int64_t breaker_probe_ms = 1'000;             // one probe in this time

inline constexpr std::size_t replay_shards = 64;                // of a large set; a small one has 1
inline constexpr std::size_t replay_shard_entries_min = 4'096;  // below this a set is not divided
inline constexpr std::size_t journal_rotate_bytes_min = 1'048'576;  // no new segment below this
inline constexpr std::int64_t journal_retry_seconds = 10;           // after a failed write

}  // namespace catbird::auth
