// SPDX-License-Identifier: MIT
#include "auth/replay_segment.hpp"

#include "base/bytes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace catbird::auth {
namespace {

// Header: magic 8, boot 16, generation 8, blind_before 4, needs_old 1, zero 7, crc 4.
// Record: key 16, expiry 4, crc 4. Little-endian.
constexpr std::array<std::uint8_t, 8> magic{'C', 'B', 'J', 'T', 'I', 0, 0, 1};
constexpr std::size_t boot_at = 8;
constexpr std::size_t generation_at = 24;
constexpr std::size_t blind_before_at = 32;
constexpr std::size_t needs_old_at = 36;
constexpr std::size_t header_crc_at = segment_header_bytes - 4;
constexpr std::size_t expiry_at = 16;
constexpr std::size_t record_crc_at = 20;
constexpr std::size_t read_bytes = segment_record_bytes * 16'384;

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB8'8320U : 0U);
    table[i] = value;
  }
  return table;
}();

std::uint32_t crc32(ByteView bytes, std::uint64_t salt) {
  std::uint32_t crc = ~static_cast<std::uint32_t>(salt ^ salt >> 32);
  for (const std::uint8_t byte : bytes) crc = crc_table[(crc ^ byte) & 0xFF] ^ crc >> 8;
  return ~crc;
}

template <class T>
void put(std::uint8_t* at, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) at[i] = static_cast<std::uint8_t>(value >> 8 * i);
}

template <class T>
T get(const std::uint8_t* at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(at[i]) << 8 * i;
  return value;
}

bool decode_header(ByteView bytes, SegmentHeader& header) {
  if (!std::ranges::equal(bytes.first(magic.size()), magic)) return false;
  if (get<std::uint32_t>(&bytes[header_crc_at]) != crc32(bytes.first(header_crc_at), 0)) {
    return false;
  }
  std::copy_n(&bytes[boot_at], header.boot.size(), header.boot.begin());
  header.generation = get<std::uint64_t>(&bytes[generation_at]);
  header.blind_before = get<std::uint32_t>(&bytes[blind_before_at]);
  header.needs_old = bytes[needs_old_at] != 0;
  return true;
}

bool decode_record(ByteView bytes, std::uint64_t generation, ReplayEntry& entry) {
  if (get<std::uint32_t>(&bytes[record_crc_at]) != crc32(bytes.first(record_crc_at), generation)) {
    return false;
  }
  for (std::size_t i = 0; i < entry.key.size(); ++i) {
    entry.key[i] = get<std::uint32_t>(&bytes[4 * i]);
  }
  entry.expiry = get<std::uint32_t>(&bytes[expiry_at]);
  return true;
}

/// As many bytes as there are, up to `size`; nothing on an error.
std::optional<std::size_t> read_fully(int file, std::uint8_t* bytes, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::read(file, bytes + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

bool scan_records(int file, SegmentScan& scan, const ReplayJournal::Visit& visit) {
  std::vector<std::uint8_t> buffer(read_bytes);
  const ReplayEntry last = closing_entry();
  for (;;) {
    const auto size = read_fully(file, buffer.data(), buffer.size());
    if (!size) return false;
    if (*size == 0) return true;
    const ByteView bytes(buffer.data(), *size);
    for (std::size_t at = 0; at < bytes.size(); at += segment_record_bytes) {
      ReplayEntry entry;
      // A torn record was never answered for, but nothing tells it from a file cut short.
      if (bytes.size() - at < segment_record_bytes || scan.closed) return false;
      if (!decode_record(bytes.subspan(at, segment_record_bytes), scan.header.generation, entry)) {
        return false;
      }
      if (entry.key == last.key && entry.expiry == last.expiry) {
        scan.closed = true;
        continue;
      }
      scan.expiry_max = std::max(scan.expiry_max, entry.expiry);
      visit(entry);
    }
  }
}

}  // namespace

HeaderBytes encode_header(const SegmentHeader& header) {
  HeaderBytes bytes{};
  std::ranges::copy(magic, bytes.begin());
  std::ranges::copy(header.boot, bytes.begin() + boot_at);
  put(&bytes[generation_at], header.generation);
  put(&bytes[blind_before_at], header.blind_before);
  bytes[needs_old_at] = header.needs_old ? 1 : 0;
  put(&bytes[header_crc_at], crc32(ByteView(bytes).first(header_crc_at), 0));
  return bytes;
}

RecordBytes encode_record(const ReplayEntry& entry, std::uint64_t generation) {
  RecordBytes bytes{};
  for (std::size_t i = 0; i < entry.key.size(); ++i) put(&bytes[4 * i], entry.key[i]);
  put(&bytes[expiry_at], entry.expiry);
  put(&bytes[record_crc_at], crc32(ByteView(bytes).first(record_crc_at), generation));
  return bytes;
}

ReplayEntry closing_entry() {
  ReplayEntry entry;
  entry.key.fill(0xFFFF'FFFF);
  entry.expiry = 0xFFFF'FFFF;
  return entry;
}

SegmentScan scan_segment(const std::string& path, const ReplayJournal::Visit& visit) {
  SegmentScan scan;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    scan.exists = errno != ENOENT;
    return scan;
  }
  scan.exists = true;
  HeaderBytes header{};
  const auto size = read_fully(file, header.data(), header.size());
  scan.header_ok = size == header.size() && decode_header(header, scan.header);
  if (scan.header_ok) scan.records_ok = scan_records(file, scan, visit);
  ::close(file);
  return scan;
}

bool write_fully(int file, const std::uint8_t* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::write(file, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace catbird::auth
