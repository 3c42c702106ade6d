// SPDX-License-Identifier: MIT
// The format is SQLite's, documented as stable: a header of 32 bytes, then frames of a 24-byte
// header and a page. Numbers are big-endian; each checksum covers everything before it.
#include "storage/sqlite/log_check.hpp"

#include "base/bytes.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <utility>

namespace catbird::storage::sqlite {

namespace {

constexpr std::size_t log_header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;
constexpr std::size_t summed_frame_header_bytes = 8;  // page and commit size; the salts are not
constexpr std::uint32_t magic = 0x377f0682;           // the lowest bit: checksums are big-endian
constexpr std::uint32_t page_bytes_max = 65536;

std::uint32_t number_at(ByteView bytes, std::size_t at) {
  return (std::uint32_t{bytes[at]} << 24) | (std::uint32_t{bytes[at + 1]} << 16) |
         (std::uint32_t{bytes[at + 2]} << 8) | bytes[at + 3];
}

/// SQLite's running checksum; it goes on from the one that stands before a frame.
class Checksum {
 public:
  Checksum(bool big_endian, std::uint32_t first, std::uint32_t second)
      : swap_(!big_endian), first_(first), second_(second) {}
  void add(ByteView bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first_ += word(bytes, at) + second_;
      second_ += word(bytes, at + 4) + first_;
    }
  }
  bool stands_at(ByteView bytes, std::size_t at) const {
    return number_at(bytes, at) == first_ && number_at(bytes, at + 4) == second_;
  }

 private:
  std::uint32_t word(ByteView bytes, std::size_t at) const {
    const auto number = number_at(bytes, at);
    return swap_ ? __builtin_bswap32(number) : number;
  }

  bool swap_;
  std::uint32_t first_;
  std::uint32_t second_;
};

/// Fills `bytes`; false at the end of the file.
bool read(std::ifstream& file, Bytes& bytes) {
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return file.gcount() == static_cast<std::streamsize>(bytes.size());
}

}  // namespace

Result<void> check_log(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Bytes header(log_header_bytes);
  if (!file || !read(file, header)) return {};
  const auto page_bytes = number_at(header, 8);
  const bool big_endian = (number_at(header, 0) & 1) != 0;
  Checksum header_sum(big_endian, 0, 0);
  header_sum.add(ByteView(header).first(24));
  // No log, or one that was never begun: a new header is synced before its first frame.
  if ((number_at(header, 0) & ~1U) != magic || !std::has_single_bit(page_bytes) ||
      page_bytes > page_bytes_max || !header_sum.stands_at(header, 24)) {
    return {};
  }
  Bytes frame(frame_header_bytes + page_bytes);
  auto before = std::pair(number_at(header, 24), number_at(header, 28));
  bool sound = true;
  int ends = 0;  // of transactions, from the first bad frame on
  while (read(file, frame)) {
    const ByteView bytes(frame);
    Checksum sum(big_endian, before.first, before.second);
    sum.add(bytes.first(summed_frame_header_bytes));
    sum.add(bytes.subspan(frame_header_bytes));
    // Frames of an earlier round of the log have other salts: they are in the database.
    const bool whole = number_at(bytes, 8) == number_at(header, 16) &&
                       number_at(bytes, 12) == number_at(header, 20) && sum.stands_at(bytes, 16);
    sound = sound && whole;
    // Whole as seen from the frame before it: that one may be the bad one.
    if (!sound && whole && number_at(bytes, 4) != 0) ++ends;
    before = {number_at(bytes, 16), number_at(bytes, 20)};
  }
  if (ends < 2) return {};
  return fail(Errc::storage_corrupt,
              "the log " + path +
                  " is damaged before its end, and transactions behind it would be"
                  " lost: restore a backup, or give them up with: sqlite3 DATABASE 'PRAGMA"
                  " wal_checkpoint(TRUNCATE)'");
}

}  // namespace catbird::storage::sqlite
