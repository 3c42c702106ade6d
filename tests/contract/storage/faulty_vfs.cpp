// SPDX-License-Identifier: MIT
#include "contract/storage/faulty_vfs.hpp"

#include "support/vfs_layer.hpp"

#include <sqlite3.h>

#include <string>

namespace catbird::storage {

namespace {

using File = test::LayeredFile<std::string*>;  // noted: its name

std::string failing_sync;   // NOLINT(*non-const-global*): SQLite's callbacks carry no context
std::string failing_write;  // NOLINT(*non-const-global*)
sqlite3_vfs layer;          // NOLINT(*non-const-global*)

bool hit(std::string& failing, sqlite3_file* file) {
  if (failing.empty() || !File::of(file)->note->ends_with(failing)) return false;
  failing.clear();
  return true;
}

int close(sqlite3_file* file) {
  delete File::of(file)->note;
  return File::methods(file)->xClose(File::real(file));
}
int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (hit(failing_write, f)) return SQLITE_IOERR_WRITE;
  return File::methods(f)->xWrite(File::real(f), from, n, at);
}
int sync(sqlite3_file* f, int flags) {
  if (hit(failing_sync, f)) return SQLITE_IOERR_FSYNC;
  return File::methods(f)->xSync(File::real(f), flags);
}
const sqlite3_io_methods layer_methods = [] {
  auto methods = File::pass_through();
  methods.xClose = close;
  methods.xWrite = write;
  methods.xSync = sync;
  return methods;
}();

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  int code = SQLITE_OK;
  if (!File::open(vfs, name, file, flags, out_flags, code)) return code;
  File::of(file)->note = new std::string(name == nullptr ? "" : name);
  file->pMethods = &layer_methods;
  return code;
}

}  // namespace

FaultyVfs::FaultyVfs() {
  File::prepare(layer, "faulty");
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
