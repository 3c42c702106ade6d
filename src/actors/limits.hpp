// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

// The engine's limits (design/engine.md, DECISIONS 9), by name.

namespace catbird::actors {

inline constexpr std::size_t mailbox_letters_max = 256;
/// Reads that wait for the writes before them; small, so many more than letters.
inline constexpr std::size_t reads_waiting_max = 4096;
inline constexpr std::size_t mailbox_bytes_max = 8 * 1024 * 1024;
inline constexpr std::size_t mailboxes_bytes_max = 256 * 1024 * 1024;
/// Of the direct gateway, over all conversations: what one box can answer within the deadline.
inline constexpr std::size_t direct_requests_max = 4096;
inline constexpr std::size_t turn_letters_max = 64;
inline constexpr std::chrono::microseconds turn_time_max{2'000};
inline constexpr std::size_t lane_batch_sets_max = 256;
inline constexpr std::size_t lane_batch_bytes_max = 1024 * 1024;  // one larger item may ride along
inline constexpr std::chrono::milliseconds reload_delay_min{50};
inline constexpr std::chrono::milliseconds reload_delay_max{5'000};
/// A command that broke this many activations is quarantined.
inline constexpr std::uint32_t letter_attempts_max = 3;
/// A command that was decided this often on heads that did not hold answers `retry`.
inline constexpr std::uint32_t letter_decisions_max = 8;
inline constexpr std::chrono::seconds key_window_idle{60};
inline constexpr std::chrono::seconds sweep_interval_max{15};
/// A write that would wait longer than this for its transaction is refused at once (503): what is
/// admitted stays quick, however many ask. Group changes may wait a tenth longer.
inline constexpr std::chrono::milliseconds admission_wait_max{120};
/// A transaction open for longer than this counts as a database that hangs.
inline constexpr std::chrono::milliseconds admission_stall_max{1'000};
/// So many may always wait: the next transaction, so that the lane never runs dry.
inline constexpr std::size_t admission_sets_min = lane_batch_sets_max;
/// Actors that must have left before free memory is given back to the system.
inline constexpr std::size_t actors_per_trim = 1000;

}  // namespace catbird::actors
