// SPDX-License-Identifier: MIT
#include "crash/recording_vfs.hpp"

#include "support/vfs_layer.hpp"

#include <sqlite3.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

namespace catbird::crash {

namespace {

using File = test::LayeredFile<std::size_t>;  // noted: the file's number

// SQLite's callbacks carry no context.
Recording* recording = nullptr;            // NOLINT(*non-const-global*)
Disk kind = Disk::honest;                  // NOLINT(*non-const-global*)
std::map<std::string, std::size_t> names;  // NOLINT(*non-const-global*): who has a name now
std::map<std::size_t, bool> nameless;      // NOLINT(*non-const-global*): name not yet synced
sqlite3_vfs layer;                         // NOLINT(*non-const-global*)

std::string short_name(const char* path) { return std::filesystem::path(path).filename().string(); }

void note(Op op) { recording->ops.push_back(std::move(op)); }

int write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  const auto* bytes = static_cast<const std::uint8_t*>(from);
  note({.kind = Op::Kind::write,
        .file = File::of(f)->note,
        .offset = static_cast<std::uint64_t>(at),
        .data = Bytes(bytes, bytes + n)});
  return File::methods(f)->xWrite(File::real(f), from, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 n) {
  note({.kind = Op::Kind::truncate,
        .file = File::of(f)->note,
        .offset = static_cast<std::uint64_t>(n),
        .data = {}});
  return File::methods(f)->xTruncate(File::real(f), n);
}
int sync(sqlite3_file* f, int) {
  // The real file is not synced: nobody pulls this machine's plug.
  if (kind == Disk::lies) return SQLITE_OK;
  // SQLite syncs the directory with the first sync of a log or journal that it made.
  const bool names_too = std::exchange(nameless[File::of(f)->note], false);
  note({.kind = Op::Kind::sync, .file = File::of(f)->note, .data = {}, .syncs_names = names_too});
  return SQLITE_OK;
}
const sqlite3_io_methods layer_methods = [] {
  auto methods = File::pass_through();
  methods.xWrite = write;
  methods.xTruncate = truncate;
  methods.xSync = sync;
  return methods;
}();

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
  file->pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // temporary files are in memory
  const bool existed = std::filesystem::exists(name);
  int code = SQLITE_OK;
  if (!File::open(vfs, name, file, flags, out_flags, code)) return code;
  File::of(file)->note = id_of(short_name(name), existed);
  file->pMethods = &layer_methods;
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
  File::prepare(layer, "recording");
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
