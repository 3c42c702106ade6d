// SPDX-License-Identifier: MIT
#pragma once

#include <sqlite3.h>

namespace catbird::test {

/// A file of a layer over SQLite's own VFS: what the layer notes of it, then in memory the real
/// VFS's file object.
template <class Note>
struct LayeredFile {
  sqlite3_file base;
  Note note;

  static LayeredFile* of(sqlite3_file* file) { return reinterpret_cast<LayeredFile*>(file); }
  static sqlite3_file* real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(of(file) + 1);
  }
  static const sqlite3_io_methods* methods(sqlite3_file* file) { return real(file)->pMethods; }

  /// Hands every call to the real file; a layer replaces those it is about. Version 2: no mapped
  /// pages, so that every write is seen.
  static sqlite3_io_methods pass_through() {
    using File = sqlite3_file;
    sqlite3_io_methods m{};
    m.iVersion = 2;
    m.xClose = [](File* f) { return methods(f)->xClose(real(f)); };
    m.xRead = [](File* f, void* to, int n, sqlite3_int64 at) {
      return methods(f)->xRead(real(f), to, n, at);
    };
    m.xWrite = [](File* f, const void* from, int n, sqlite3_int64 at) {
      return methods(f)->xWrite(real(f), from, n, at);
    };
    m.xTruncate = [](File* f, sqlite3_int64 n) { return methods(f)->xTruncate(real(f), n); };
    m.xSync = [](File* f, int flags) { return methods(f)->xSync(real(f), flags); };
    m.xFileSize = [](File* f, sqlite3_int64* n) { return methods(f)->xFileSize(real(f), n); };
    m.xLock = [](File* f, int level) { return methods(f)->xLock(real(f), level); };
    m.xUnlock = [](File* f, int level) { return methods(f)->xUnlock(real(f), level); };
    m.xCheckReservedLock = [](File* f, int* out) {
      return methods(f)->xCheckReservedLock(real(f), out);
    };
    m.xFileControl = [](File* f, int op, void* arg) {
      return methods(f)->xFileControl(real(f), op, arg);
    };
    m.xSectorSize = [](File* f) { return methods(f)->xSectorSize(real(f)); };
    m.xDeviceCharacteristics = [](File* f) { return methods(f)->xDeviceCharacteristics(real(f)); };
    m.xShmMap = [](File* f, int page, int size, int extend, void volatile** out) {
      return methods(f)->xShmMap(real(f), page, size, extend, out);
    };
    m.xShmLock = [](File* f, int offset, int n, int flags) {
      return methods(f)->xShmLock(real(f), offset, n, flags);
    };
    m.xShmBarrier = [](File* f) { methods(f)->xShmBarrier(real(f)); };
    m.xShmUnmap = [](File* f, int remove) { return methods(f)->xShmUnmap(real(f), remove); };
    return m;
  }

  /// Opens the real file; the caller then sets its note and `base.pMethods`. False: it did not
  /// open, and `code` is what to return.
  static bool open(sqlite3_vfs* layer, const char* name, sqlite3_file* file, int flags,
                   int* out_flags, int& code) {
    auto* vfs = static_cast<sqlite3_vfs*>(layer->pAppData);
    of(file)->base.pMethods = nullptr;
    code = vfs->xOpen(vfs, name, real(file), flags, out_flags);
    return methods(file) != nullptr;
  }

  /// `layer` becomes the default VFS's twin under `name`; the caller sets its callbacks and
  /// registers it.
  static void prepare(sqlite3_vfs& layer, const char* name) {
    auto* vfs = sqlite3_vfs_find(nullptr);
    layer = *vfs;
    layer.szOsFile = static_cast<int>(sizeof(LayeredFile)) + vfs->szOsFile;
    layer.zName = name;
    layer.pAppData = vfs;
    layer.pNext = nullptr;
  }
};

}  // namespace catbird::test
