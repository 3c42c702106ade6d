// SPDX-License-Identifier: MIT
#include "auth/replay_journal.hpp"

#include "auth/replay_segment.hpp"
#include "base/bytes.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

namespace catbird::auth {
namespace {

constexpr mode_t owner_only = 0600;
constexpr const char* boot_id_file = "/proc/sys/kernel/random/boot_id";
constexpr std::size_t snapshot_buffer_bytes = segment_record_bytes * 4'096;

std::string old_path(const std::string& path) { return path + ".old"; }
std::string new_path(const std::string& path) { return path + ".new"; }

/// All that was used before is in these records, as far as this boot can know.
bool is_whole(const SegmentScan& scan, const BootId& boot) {
  if (!scan.exists || !scan.header_ok || !scan.records_ok) return false;
  const bool same_boot = boot != BootId{} && scan.header.boot == boot;
  return same_boot || scan.closed;
}

/// `old` counts as whole where the current file says so: it was synced when that one was closed.
bool is_whole_with(const SegmentScan& current, const SegmentScan& old) {
  if (!current.header.needs_old) return true;
  return old.exists && old.header_ok && old.records_ok &&
         old.header.generation + 1 == current.header.generation;
}

bool remove_file(const std::string& path) { return ::unlink(path.c_str()) == 0 || errno == ENOENT; }

bool move_file(const std::string& from, const std::string& to) {
  return std::rename(from.c_str(), to.c_str()) == 0;
}

bool sync_path(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC);
  if (file < 0) return false;
  const bool synced = ::fsync(file) == 0;
  ::close(file);
  return synced;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

BootId current_boot_id() {
  BootId boot{};
  std::string text;
  std::ifstream(boot_id_file) >> text;
  std::erase(text, '-');
  const auto bytes = from_hex(text);
  if (bytes && bytes->size() == boot.size()) std::ranges::copy(*bytes, boot.begin());
  return boot;
}

ReplayJournal::ReplayJournal(JournalOptions options, int lock_file)
    : options_(std::move(options)), lock_file_(lock_file) {}

ReplayJournal::~ReplayJournal() {
  if (file_ >= 0) close_cleanly();
  ::close(lock_file_);
}

Result<ReplayJournal::Loaded> ReplayJournal::open(JournalOptions options, const Visit& entry) {
  const std::string path = options.path;
  const std::uint32_t now = options.now;
  const BootId boot = options.boot;
  const int lock_file = ::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, owner_only);
  if (lock_file < 0) {
    return fail(Errc::storage_unavailable,
                "token journal " + path + " cannot be created: " + std::strerror(errno) +
                    "; let the server write there, or set CATBIRD_TOKEN_JOURNAL");
  }
  Loaded loaded;
  loaded.journal.reset(new ReplayJournal(std::move(options), lock_file));
  if (::flock(lock_file, LOCK_EX | LOCK_NB) != 0) {
    return fail(Errc::storage_unavailable,
                "token journal " + path +
                    " is in use by another process: each server needs its own, "
                    "set CATBIRD_TOKEN_JOURNAL");
  }

  // A start that died between the two renames of rotate() left the current file under path.new.
  struct stat unused{};
  const bool half_rotated = ::stat(path.c_str(), &unused) != 0 && errno == ENOENT;
  std::vector<ReplayEntry> entries;
  const auto keep = [&](const ReplayEntry& found) {
    if (found.expiry > now) entries.push_back(found);
  };
  const SegmentScan current = scan_segment(half_rotated ? new_path(path) : path, keep);
  const SegmentScan old = scan_segment(old_path(path), keep);
  // Any other path.new may lack records: it is written before it takes its place.
  const bool in_place = !half_rotated || current.header.needs_old;
  const bool whole = in_place && is_whole(current, boot) && is_whole_with(current, old);
  loaded.blind_before = whole ? std::min(current.header.blind_before, now) : now;
  for (const auto& found : entries) entry(found);

  // From here on one complete file, in this boot's name.
  loaded.journal->generation_ = std::max(current.header.generation, old.header.generation);
  const auto snapshot = [&](const Visit& visit) { std::ranges::for_each(entries, visit); };
  if (!loaded.journal->rewrite(now, loaded.blind_before, snapshot)) {
    return fail(Errc::storage_unavailable, "token journal " + path + " cannot be written");
  }
  return loaded;
}

int ReplayJournal::create_segment(std::uint64_t generation, std::uint32_t blind_before,
                                  bool needs_old) {
  const int file = ::open(new_path(options_.path).c_str(),
                          O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, owner_only);
  if (file < 0) return -1;
  const HeaderBytes header = encode_header({options_.boot, generation, blind_before, needs_old});
  if (write_fully(file, header.data(), header.size())) return file;
  ::close(file);
  return -1;
}

bool ReplayJournal::rewrite(std::uint32_t now, std::uint32_t blind_before,
                            const Snapshot& snapshot) {
  const std::uint64_t generation = generation_ + 1;
  const int file = create_segment(generation, blind_before, false);
  if (file < 0) return give_up();
  std::vector<std::uint8_t> buffer;
  buffer.reserve(snapshot_buffer_bytes);
  bool written = true;
  std::size_t bytes = segment_header_bytes;
  std::uint32_t expiry = 0;
  const auto flush = [&] {
    written = written && write_fully(file, buffer.data(), buffer.size());
    bytes += buffer.size();
    buffer.clear();
  };
  snapshot([&](const ReplayEntry& entry) {
    const RecordBytes record = encode_record(entry, generation);
    buffer.insert(buffer.end(), record.begin(), record.end());
    expiry = std::max(expiry, entry.expiry);
    if (buffer.size() >= snapshot_buffer_bytes) flush();
  });
  flush();
  // Durable here, once: else a power cut could bring back a file that ends in order.
  written = written && ::fdatasync(file) == 0;
  if (!written || !move_file(new_path(options_.path), options_.path) ||
      !sync_path(directory_of(options_.path), O_RDONLY | O_DIRECTORY)) {
    ::close(file);
    return give_up();
  }
  remove_file(old_path(options_.path));
  if (file_ >= 0) ::close(file_);
  file_ = file;
  generation_ = generation;
  blind_before_ = blind_before;
  segment_bytes_ = bytes;
  segment_started_ = now;
  segment_expiry_ = expiry;
  old_expiry_ = 0;
  treacherous_ = false;
  return true;
}

bool ReplayJournal::append(const ReplayEntry& entry, std::uint32_t now) {
  if (file_ < 0) return false;
  segment_started_ = std::min(segment_started_, now);
  const bool due = now - segment_started_ >= options_.life_seconds && old_expiry_ <= now &&
                   segment_bytes_ >= options_.rotate_bytes_min;
  if (due && !rotate(now)) return give_up();
  const RecordBytes record = encode_record(entry, generation_);
  if (!write_fully(file_, record.data(), record.size())) return give_up();
  segment_bytes_ += record.size();
  segment_expiry_ = std::max(segment_expiry_, entry.expiry);
  return true;
}

bool ReplayJournal::rotate(std::uint32_t now) {
  const int file = create_segment(generation_ + 1, blind_before_, true);
  if (file < 0) return false;
  if (!move_file(options_.path, old_path(options_.path)) ||
      !move_file(new_path(options_.path), options_.path)) {
    ::close(file);
    return false;
  }
  ::close(file_);
  file_ = file;
  ++generation_;
  old_expiry_ = std::exchange(segment_expiry_, 0);
  segment_started_ = now;
  segment_bytes_ = segment_header_bytes;
  return true;
}

bool ReplayJournal::give_up() {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  // A journal that lacks a token must not look whole at the next start.
  const bool removed = remove_file(options_.path) && remove_file(new_path(options_.path));
  remove_file(old_path(options_.path));
  treacherous_ = !removed;
  return false;
}

void ReplayJournal::close_cleanly() {
  // The mark promises that everything before it, path.old included, is on the disk.
  if (::fdatasync(file_) == 0 &&
      (old_expiry_ == 0 || sync_path(old_path(options_.path), O_RDONLY))) {
    const RecordBytes record = encode_record(closing_entry(), generation_);
    if (write_fully(file_, record.data(), record.size())) ::fdatasync(file_);
    sync_path(directory_of(options_.path), O_RDONLY | O_DIRECTORY);
  }
  ::close(file_);
}

}  // namespace catbird::auth
