// SPDX-License-Identifier: MIT
#pragma once

#include "auth/replay_journal.hpp"

#include <cstdint>
#include <string>

// The bytes of one journal file.

namespace catbird::auth {

struct SegmentHeader {
  BootId boot{};
  std::uint64_t generation = 0;
  std::uint32_t blind_before = 0;
  bool needs_old = false;  // complete only together with path.old of generation - 1
};

inline constexpr std::size_t segment_header_bytes = 48;
inline constexpr std::size_t segment_record_bytes = 24;

using HeaderBytes = std::array<std::uint8_t, segment_header_bytes>;
using RecordBytes = std::array<std::uint8_t, segment_record_bytes>;

HeaderBytes encode_header(const SegmentHeader& header);
/// The generation is part of the checksum: a record is never valid in another file.
RecordBytes encode_record(const ReplayEntry& entry, std::uint64_t generation);
/// The last record of a file that was synced and closed in order.
ReplayEntry closing_entry();

struct SegmentScan {
  bool exists = false;
  bool header_ok = false;
  bool records_ok = false;  // every one, to the last byte
  bool closed = false;      // ends with the closing entry
  std::uint32_t expiry_max = 0;
  SegmentHeader header;
};

/// Reads a file to its first damage; `entry` sees each record before it.
SegmentScan scan_segment(const std::string& path, const ReplayJournal::Visit& entry);

/// write(2) until everything is written; false on the first error.
bool write_fully(int file, const std::uint8_t* bytes, std::size_t size);

}  // namespace catbird::auth
