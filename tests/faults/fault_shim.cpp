// SPDX-License-Identifier: MIT
// Preloaded into the built server by tests/integration/node/faults: fails or ends the process at
// the n-th call that changes a file of its data folder, and moves its wall clock. Driven, while the
// process runs, through a file that both sides map (lib/fault_shim.mjs writes it). Not in any
// program of ours.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

namespace {

constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr std::int64_t ns_per_ms = 1'000'000;

// The bits of Control::calls_mask.
constexpr std::uint32_t on_write = 1;
constexpr std::uint32_t on_sync = 2;
constexpr std::uint32_t on_truncate = 4;
constexpr std::uint32_t on_names = 8;  // unlink, rename

constexpr std::int32_t kill_process = -1;  // Control::action; above 0 an errno

/// The mapped file. Offsets are known to lib/fault_shim.mjs.
struct Control {
  std::atomic<std::int64_t> clock_offset_ms;
  std::atomic<std::uint64_t> calls;       // that matched, since the file was made
  std::atomic<std::uint64_t> fail_from;   // the first call, counted from 1, that is hit
  std::atomic<std::uint64_t> fail_until;  // the first after it that is not
  std::atomic<std::uint32_t> calls_mask;
  std::atomic<std::int32_t> action;
  std::array<char, 88> suffix;  // only files whose name ends so; empty: all of the folder
};
static_assert(sizeof(Control) == 128);

Control* open_control() {
  const char* path = std::getenv("CATBIRD_FAULT_CONTROL");
  if (path == nullptr) return nullptr;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* mapped = ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return mapped == MAP_FAILED ? nullptr : static_cast<Control*>(mapped);
}

Control* control() {
  static Control* const mapped = open_control();
  return mapped;
}

std::string_view folder() {
  static const char* const text = std::getenv("CATBIRD_FAULT_FOLDER");
  return text == nullptr ? "" : text;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

bool is_ours(std::string_view path) {
  const auto where = folder();
  if (where.empty() || !path.starts_with(where)) return false;
  return path.ends_with(std::string_view(control()->suffix.data()));
}

/// True if the call must fail; errno says how. Does not return if the process is to end here.
bool hit(std::uint32_t kind, std::string_view path) {
  auto* shared = control();
  if (shared == nullptr || (shared->calls_mask & kind) == 0 || !is_ours(path)) return false;
  const auto call = ++shared->calls;
  if (call < shared->fail_from || call >= shared->fail_until || shared->action == 0) return false;
  if (shared->action == kill_process) {
    ::kill(::getpid(), SIGKILL);
    while (true) ::pause();
  }
  errno = shared->action;
  return true;
}

bool hit(std::uint32_t kind, int file) {
  if (control() == nullptr) return false;
  std::array<char, 32> link{};
  std::array<char, 1024> path{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
  const auto size = ::readlink(link.data(), path.data(), path.size());
  return size > 0 && hit(kind, std::string_view(path.data(), static_cast<std::size_t>(size)));
}

std::int64_t offset_ms() { return control() == nullptr ? 0 : control()->clock_offset_ms.load(); }

}  // namespace

extern "C" {

ssize_t write(int file, const void* from, size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return hit(on_write, file) ? -1 : real(file, from, size);
}
ssize_t pwrite64(int file, const void* from, size_t size, off64_t at) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return hit(on_write, file) ? -1 : real(file, from, size, at);
}
ssize_t pwrite(int file, const void* from, size_t size, off_t at) {
  return pwrite64(file, from, size, at);
}
int fsync(int file) {
  static const auto real = next<int (*)(int)>("fsync");
  return hit(on_sync, file) ? -1 : real(file);
}
int fdatasync(int file) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return hit(on_sync, file) ? -1 : real(file);
}
int ftruncate64(int file, off64_t size) noexcept {
  static const auto real = next<int (*)(int, off64_t)>("ftruncate64");
  return hit(on_truncate, file) ? -1 : real(file, size);
}
int ftruncate(int file, off_t size) noexcept { return ftruncate64(file, size); }
int unlink(const char* path) noexcept {
  static const auto real = next<int (*)(const char*)>("unlink");
  return hit(on_names, path) ? -1 : real(path);
}
int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return hit(on_names, to) ? -1 : real(from, to);
}

int clock_gettime(clockid_t clock, timespec* out) noexcept {
  static const auto real = next<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int done = real(clock, out);
  if (done != 0 || clock != CLOCK_REALTIME) return done;
  const auto ns = out->tv_sec * ns_per_s + out->tv_nsec + offset_ms() * ns_per_ms;
  out->tv_sec = ns / ns_per_s;
  out->tv_nsec = ns % ns_per_s;
  return done;
}
int gettimeofday(timeval* out, void*) noexcept {
  timespec now{};
  const int done = clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return done;
}
time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

}  // extern "C"
