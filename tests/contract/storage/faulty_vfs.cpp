// SPDX-License-Identifier: MIT
#include "contract/storage/faulty_vfs.hpp"

#include <sqlite3.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace catbird::storage {

namespace {

// The layer's own file header; the real VFS's file object follows it in memory.
struct File {
  sqlite3_file base;
  std::string* name;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

std::string failing_sync;   // NOLINT(*non-const-global*): SQLite's callbacks carry no context
std::string failing_write;  // NOLINT(*non-const-global*)
sqlite3_vfs layer;          // NOLINT(*non-const-global*)

File* ours(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
sqlite3_file* real(sqlite3_file* file) { return ours(file)->real(); }
const sqlite3_io_methods* methods(sqlite3_file* file) { return real(file)->pMethods; }

bool hit(std::string& failing, sqlite3_file* file) {
  if (failing.empty() || !ours(file)->name->ends_with(failing)) return false;
  failing.clear();
  return true;
}

int close(sqlite3_file* file) {
  delete ours(file)->name;
  return methods(file)->xClose(real(file));
}
int read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return methods(f)->xRead(real(f), to, n, at);
}
int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (hit(failing_write, f)) return SQLITE_IOERR_WRITE;
  return methods(f)->xWrite(real(f), from, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 n) { return methods(f)->xTruncate(real(f), n); }
int sync(sqlite3_file* f, int flags) {
  if (hit(failing_sync, f)) return SQLITE_IOERR_FSYNC;
  return methods(f)->xSync(real(f), flags);
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

constexpr sqlite3_io_methods layer_methods = {
    2,         close,      read,    write,       truncate,        sync,    file_size, lock,
    unlock,    check_lock, control, sector_size, characteristics, shm_map, shm_lock,  shm_barrier,
    shm_unmap, nullptr,    nullptr};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* real_vfs = static_cast<sqlite3_vfs*>(vfs->pAppData);
  auto* self = ours(file);
  self->base.pMethods = nullptr;
  const int code = real_vfs->xOpen(real_vfs, name, self->real(), flags, out_flags);
  if (self->real()->pMethods == nullptr) return code;
  self->name = new std::string(name == nullptr ? "" : name);
  self->base.pMethods = &layer_methods;
  return code;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  auto* real_vfs = sqlite3_vfs_find(nullptr);
  layer = *real_vfs;
  layer.szOsFile = static_cast<int>(sizeof(File)) + real_vfs->szOsFile;
  layer.zName = "faulty";
  layer.pAppData = real_vfs;
  layer.pNext = nullptr;
  layer.xOpen = open;
  sqlite3_vfs_register(&layer, 1);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&layer);
  failing_sync.clear();
  failing_write.clear();
}

void FaultyVfs::fail_next_sync(const std::string& suffix) { failing_sync = suffix; }
void FaultyVfs::fail_next_write(const std::string& suffix) { failing_write = suffix; }

}  // namespace catbird::storage
