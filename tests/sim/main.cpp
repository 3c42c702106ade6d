// SPDX-License-Identifier: MIT
// catbird-sim [--seeds N] [--from S] [--step K] [--seed S] [--trace]: runs seeds until one fails.
// --postgres: every seed on a new database of the server that CATBIRD_TEST_POSTGRES names.
// Exit 1 on a violation. script/sim splits the seeds over the cores.
#include "sim/run.hpp"

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace catbird::sim {
namespace {

struct Arguments {
  std::uint64_t from = 1;
  std::uint64_t seeds = 200;
  std::uint64_t step = 1;
  bool trace = false;
  std::optional<Backend> backend;  // none: the usual mixture
  bool shrink = true;
};

volatile std::sig_atomic_t running_seed = 0;

// A failed CATBIRD_CHECK of the server is a finding too: say whose.
void say_seed(int) {
  std::fprintf(stderr, "VIOLATION in seed %lld: the server aborted\n",
               static_cast<long long>(running_seed));
}

bool read(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--trace") {
      arguments.trace = true;
    } else if (name == "--memory") {
      arguments.backend = Backend::memory;
    } else if (name == "--postgres") {
      arguments.backend = Backend::postgres;
    } else if (name == "--no-shrink") {
      arguments.shrink = false;
    } else if (i + 1 < argc && name.starts_with("--")) {
      char* end = nullptr;
      const auto value = std::strtoull(argv[++i], &end, 10);
      if (*end != '\0') return false;
      if (name == "--from") {
        arguments.from = value;
      } else if (name == "--seeds") {
        arguments.seeds = value;
      } else if (name == "--step") {
        arguments.step = value;
      } else if (name == "--seed") {
        arguments.from = value;
        arguments.seeds = 1;
      } else {
        return false;
      }
    } else {
      return false;
    }
  }
  return arguments.step != 0;
}

void print_trace(const RunResult& result) {
  for (const auto& line : result.lines) {
    std::printf("%12lld us  %s  %s\n", static_cast<long long>(line.at.count()),
                line.convo == Trace::everywhere ? "*" : std::to_string(line.convo).c_str(),
                line.text.c_str());
  }
}

int main(int argc, char** argv) {
  Arguments arguments;
  if (!read(argc, argv, arguments)) {
    std::fprintf(stderr,
                 "usage: catbird-sim [--seeds N] [--from S] [--step K] [--seed S] [--trace] "
                 "[--memory] [--postgres] [--no-shrink]\n");
    return 2;
  }
  std::signal(SIGABRT, say_seed);
  const auto began = std::chrono::steady_clock::now();
  Totals totals;
  std::uint64_t hash = 0;
  for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
    const auto seed = arguments.from + i * arguments.step;
    running_seed = static_cast<std::sig_atomic_t>(seed);
    const RunOptions options{.seed = seed,
                             .backend = arguments.backend.value_or(usual_backend(seed)),
                             .record = arguments.trace};
    const auto result = run_seed(options);
    totals.add(result.totals);
    hash ^= result.hash * (2 * seed + 1);
    if (arguments.trace) print_trace(result);
    if (result.violations.empty()) continue;
    std::printf("VIOLATION in seed %llu: %s\n", static_cast<unsigned long long>(seed),
                result.violations.front().text.c_str());
    if (arguments.shrink) std::printf("%s", report(options, shrink(options)).c_str());
    std::printf("repeat with: catbird-sim --seed %llu --trace\n",
                static_cast<unsigned long long>(seed));
    return 1;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%llu seeds in %.1f s (%.1f/s), 0 violations, hash %016llx\n%s\n",
              static_cast<unsigned long long>(arguments.seeds), took.count(),
              static_cast<double>(arguments.seeds) / took.count(),
              static_cast<unsigned long long>(hash), totals.describe().c_str());
  return 0;
}

}  // namespace
}  // namespace catbird::sim

int main(int argc, char** argv) { return catbird::sim::main(argc, argv); }
