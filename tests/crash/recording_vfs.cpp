// SPDX-License-Identifier: MIT
#include "crash/recording_vfs.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <map>
#include <utility>

namespace catbird::crash {

namespace {

// The layer's own file header; the real VFS's file object follows it in memory.
struct File {
  sqlite3_file base;
  std::size_t id;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

// SQLite's callbacks carry no context.
Recording* recording = nullptr;            // NOLINT(*non-const-global*)
Disk kind = Disk::honest;                  // NOLINT(*non-const-global*)
std::map<std::string, std::size_t> names;  // NOLINT(*non-const-global*): who has a name now
std::map<std::size_t, bool> nameless;      // NOLINT(*non-const-global*): name not yet synced
sqlite3_vfs layer;                         // NOLINT(*non-const-global*)

File* ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* real(sqlite3_file* file) { return ours(file)->real(); }
const sqlite3_io_methods* methods(sqlite3_file* file) { return real(file)->pMethods; }
std::string short_name(const char* path) { return std::filesystem::path(path).filename().string(); }

void note(Op op) { recording->ops.push_back(std::move(op)); }

int close(sqlite3_file* f) { return methods(f)->xClose(real(f)); }
int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return methods(f)->xRead(real(f), to, n, at);
}
int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  const auto* bytes = static_cast<const std::uint8_t*>(from);
  note({.kind = Op::Kind::write,
        .file = ours(f)->id,
        .offset = static_cast<std::uint64_t>(at),
        .data = Bytes(bytes, bytes + n)});
  return methods(f)->xWrite(real(f), from, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 n) {
  note({.kind = Op::Kind::truncate,
        .file = ours(f)->id,
        .offset = static_cast<std::uint64_t>(n),
        .data = {}});
  return methods(f)->xTruncate(real(f), n);
}
int sync(sqlite3_file* f, int) {
  // The real file is not synced: nobody pulls this machine's plug.
  if (kind == Disk::lies) return SQLITE_OK;
  // SQLite syncs the directory with the first sync of a log or journal that it made.
  const bool names_too = std::exchange(nameless[ours(f)->id], false);
  note({.kind = Op::Kind::sync, .file = ours(f)->id, .data = {}, .syncs_names = names_too});
  return SQLITE_OK;
}
int file_size(sqlite3_file* f, sqlite3_int64* n) { return methods(f)->xFileSize(real(f), n); }
int lock(sqlite3_file* f, int level) { return methods(f)->xLock(real(f), level); }
int unlock(sqlite3_file* f, int level) { return methods(f)->xUnlock(real(f), level); }
int check_lock(sqlite3_file* f, int* out) { return methods(f)->xCheckReservedLock(real(f), out); }
int control(sqlite3_file* f, int op, void* arg) {
  return methods(f)->xFileControl(real(f), op, arg);
}
int sector_size(sqlite3_file* f) { return methods(f)->xSectorSize(real(f)); }
int characteristics(sqlite3_file* f) { return methods(f)->xDeviceCharacteristics(real(f)); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return methods(f)->xShmMap(real(f), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return methods(f)->xShmLock(real(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { methods(f)->xShmBarrier(real(f)); }
int shm_unmap(sqlite3_file* f, int remove) { return methods(f)->xShmUnmap(real(f), remove); }

// Version 2: no mapped pages, so that every write is seen.
constexpr sqlite3_io_methods layer_methods = {
    2,         close,      read,    write,       truncate,        sync,    file_size, lock,
    unlock,    check_lock, control, sector_size, characteristics, shm_map, shm_lock,  shm_barrier,
    shm_unmap, nullptr,    nullptr};

std::size_t id_of(const std::string& name, bool existed) {
  if (const auto known = names.find(name); known != names.end()) return known->second;
  const auto id = recording->files.size();
  // What exists and was not given at the start is the empty file that the store makes, and syncs
  // with its directory, before SQLite opens it.
  recording->files.push_back({name, {}, existed});
  names[name] = id;
  nameless[id] = !existed;
  if (!existed) note({.kind = Op::Kind::create, .file = id, .data = {}});
  return id;
}

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* real_vfs = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* self = ours(file);
  self->base.pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // temporary files are in memory
  const bool existed = std::filesystem::exists(name);
  const int code = real_vfs->xOpen(real_vfs, name, self->real(), flags, out_flags);
  if (self->real()->pMethods == nullptr) return code;
  self->id = id_of(short_name(name), existed);
  self->base.pMethods = &layer_methods;
  return code;
}

int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  auto* real_vfs = static_cast<sqlite3_vfs*>(vfs->pAppData);
  const int code = real_vfs->xDelete(real_vfs, name, 0);
  const auto known = names.find(short_name(name));
  if (code != SQLITE_OK || known == names.end()) return code;
  note({.kind = Op::Kind::remove,
        .file = known->second,
        .data = {},
        .syncs_names = sync_directory != 0 && kind == Disk::honest});
  names.erase(known);
  return code;
}

}  // namespace

RecordingVfs::RecordingVfs(Recording& into, Disk disk) {
  recording = &into;
  kind = disk;
  for (std::size_t id = 0; id < into.files.size(); ++id) names[into.files[id].name] = id;
  auto* real_vfs = sqlite3_vfs_find(nullptr);
  layer = *real_vfs;
  layer.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
  layer.zName = "recording";
  layer.pAppData = real_vfs;
  layer.pNext = nullptr;
  layer.xOpen = open;
  layer.xDelete = remove;
  sqlite3_vfs_register(&layer, 1);
}

RecordingVfs::~RecordingVfs() {
  sqlite3_vfs_unregister(&layer);
  names.clear();
  nameless.clear();
  recording = nullptr;
}

}  // namespace catbird::crash
