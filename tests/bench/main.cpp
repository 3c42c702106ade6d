// SPDX-License-Identifier: MIT
// catbird-bench --server BINARY --postgres SCRIPT --shim LIBRARY --json FILE [--quick]
// [--only PART] [--cell ID]… [--set NAME=VALUE]…: measures the release server. Exit 1: an outcome
// was wrong; a slow one is only printed. Run it by script/bench.
#include "bench/axes.hpp"
#include "bench/memory.hpp"
#include "bench/overload.hpp"
#include "bench/stress.hpp"

#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <string>

namespace {

using namespace catbird::bench;

void allow_many_connections() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string after_equals(const std::string& text) {
  const auto at = text.find('=');
  return at == std::string::npos ? "" : text.substr(at + 1);
}

Options read(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--quick") {
      options.quick = true;
      continue;
    }
    const std::string value = i + 1 < argc ? argv[++i] : "";
    if (name == "--server") options.server = value;
    if (name == "--postgres") options.postgres = value;
    if (name == "--shim") options.shim = value;
    if (name == "--json") options.json = value;
    if (name == "--only") options.only = value;
    if (name == "--cell") options.cells.push_back(value);
    if (name == "--set") options.variables[value.substr(0, value.find('='))] = after_equals(value);
  }
  return options;
}

/// True if nothing was wrong.
bool run(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  say("start");
  World world(options);
  Report report;
  report.quick = options.quick;
  // What one part finds wrong does not take away what the others measure.
  const auto part = [&](const std::string& name, const std::function<void()>& measure_it) {
    if (!options.only.empty() && options.only != name) return;
    try {
      measure_it();
    } catch (const std::exception& error) {
      report.wrong.push_back(fmt::format("{}: {}", name, error.what()));
      say(report.wrong.back());
    }
  };
  // The cells are in use until the report is written.
  std::optional<Axes> axes;
  std::optional<Overload> overload;
  part("axes", [&] {
    axes.emplace(world).run();
    axes->run_at_80_percent();
    axes->check();
    axes->add_to(report);
  });
  part("overload", [&] {
    overload.emplace(world).run();
    overload->add_to(report);
  });
  part("memory", [&] { measure_start_and_memory(world, report); });
  part("stress", [&] { run_stress_tests(world, report); });
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  print_tables(report);
  write_json(report, options.json);
  return report.wrong.empty();
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = read(argc, argv);
  if (options.server.empty() || options.postgres.empty() || options.shim.empty() ||
      options.json.empty()) {
    fmt::print(stderr,
               "usage: catbird-bench --server BINARY --postgres SCRIPT --shim LIBRARY"
               " --json FILE [--quick] [--only axes|overload|memory|stress] [--cell ID]..."
               " [--set NAME=VALUE]...\n");
    return 2;
  }
  allow_many_connections();
  try {
    return run(options) ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 1;
  }
}
