// SPDX-License-Identifier: MIT
// Preloaded into the bench's own PostgreSQL: makes every flush of its log take longer, as a slow
// disk would, so that the commit is what bounds the server and not the cores it shares with the
// generator. Not in any program of ours.
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

bool is_log(int file) {
  std::array<char, 32> link{};
  std::array<char, 1024> path{};
  std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", file);
  const auto size = ::readlink(link.data(), path.data(), path.size());
  if (size <= 0) return false;
  return std::string_view(path.data(), static_cast<std::size_t>(size)).find("/pg_wal/") !=
         std::string_view::npos;
}

void delay() {
  const char* text = std::getenv("CATBIRD_BENCH_COMMIT_DELAY_MS");
  const long ms = text == nullptr ? 0 : std::strtol(text, nullptr, 10);
  timespec left{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000};
  while (::nanosleep(&left, &left) != 0) {
  }
}

}  // namespace

extern "C" int fdatasync(int file) {
  static const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "fdatasync"));
  if (is_log(file)) delay();
  return real(file);
}
