// SPDX-License-Identifier: MIT
#include "bench/report.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <stdexcept>

namespace catbird::bench {

namespace {

struct Goal {
  std::string name;
  double bound;
  bool at_least;
};

// Issue 4. What a run misses is printed; only a wrong outcome fails it.
const std::vector<Goal>& goals() {
  static const std::vector<Goal> all = {
      {"send_postgres", 0.30, true},
      {"send_sqlite", 0.15, true},
      {"hot", 0.8, true},
      {"actors_hot", 5, true},
      {"actors_spread", 2, true},
      {"get_epoch", 0.7, true},
      {"members", 0.8, true},
      {"history", 0.85, true},
      {"conversations", 0.7, true},
      {"overload_goodput", 0.85, true},
      {"overload_p99", 2, false},
      {"cpu", 2.5, false},
      {"memory_per_conversation_bytes", 2048, false},
      {"memory_100k_mib", 300, false},
      {"memory_after_passivation_ratio", 1.2, false},
      {"start_seconds", 2, false},
      {"sqlite_p99_ratio", 3, false},
  };
  return all;
}

bool reached(const Goal& goal, double value) {
  return goal.at_least ? value >= goal.bound : value <= goal.bound;
}

void print_cells(const Report& report) {
  fmt::print("| {:<58} | {:>8} | {:>8} | {:>8} | {:>8} | {:>7} | {:>7} |\n",
             "medians of the repetitions", "req/s", "p50 us", "p99 us", "p99.9 us", "CPU us",
             "DB us");
  fmt::print("|{:-<60}|{:->10}|{:->10}|{:->10}|{:->10}|{:->9}|{:->9}|\n", "", ":", ":", ":", ":",
             ":", ":");
  for (const auto* cell : report.cells) {
    fmt::print("| {:<58} | {:>8.0f} | {:>8.0f} | {:>8.0f} | {:>8.0f} | {:>7.1f} | {:>7.1f} |\n",
               cell->title, cell->figure(&Sample::per_second), cell->figure(&Sample::p50_us),
               cell->figure(&Sample::p99_us), cell->figure(&Sample::p999_us),
               cell->figure(&Sample::cpu_us), cell->figure(&Sample::database_cpu_us));
  }
}

void print_goals(const Report& report) {
  fmt::print("\n| {:<32} | {:>9} | {:>10} | {:<11} |\n", "ratio", "measured", "goal", "");
  fmt::print("|{:-<34}|{:->11}|{:->12}|{:-<13}|\n", "", ":", ":", "");
  for (const auto& goal : goals()) {
    const auto found = report.ratios.find(goal.name);
    if (found == report.ratios.end()) continue;
    fmt::print("| {:<32} | {:>9.3g} | {:>2} {:>7.4g} | {:<11} |\n", goal.name, found->second,
               goal.at_least ? ">=" : "<=", goal.bound,
               reached(goal, found->second) ? "reached" : "NOT REACHED");
  }
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    constexpr char first_printable = ' ';  // also every byte of UTF-8 beyond ASCII passes
    out.push_back(c >= 0 && c < first_printable ? ' ' : c);
  }
  return out;
}

/// "a,b,c" of what `text_of` makes of each.
template <class Range, class TextOf>
std::string joined(const Range& range, const TextOf& text_of, std::string_view between = ",") {
  std::string out;
  for (const auto& item : range) {
    if (!out.empty()) out += between;
    out += text_of(item);
  }
  return out;
}

std::string object_of(const std::map<std::string, double>& numbers) {
  return "{" +
         joined(numbers,
                [](const auto& entry) {
                  return fmt::format("\"{}\":{:.6g}", entry.first, entry.second);
                }) +
         "}";
}

std::string list_of(const std::vector<double>& numbers) {
  return "[" + joined(numbers, [](double number) { return fmt::format("{:.6g}", number); }) + "]";
}

/// [[percentile, microseconds], …] over all repetitions.
std::string distribution_of(const Cell& cell) {
  auto sorted = cell.latencies_us;
  std::ranges::sort(sorted);
  if (sorted.empty()) return "[]";
  std::vector<double> percentiles(100);
  std::iota(percentiles.begin(), percentiles.end(), 0.0);
  for (const double p : {99.2, 99.4, 99.6, 99.8, 99.9, 99.95, 99.99, 100.0}) {
    percentiles.push_back(p);
  }
  return "[" +
         joined(percentiles,
                [&](double p) {
                  const auto at =
                      static_cast<std::size_t>(p / 100 * static_cast<double>(sorted.size() - 1));
                  return fmt::format("[{:g},{:.1f}]", p, sorted[at]);
                }) +
         "]";
}

std::string json_of(const Cell& cell) {
  const auto runs = joined(
      cell.samples, [](const Sample& sample) { return fmt::format("{:.6g}", sample.per_second); });
  const std::map<std::string, double> figures = {
      {"per_second", cell.figure(&Sample::per_second)},
      {"p50_us", cell.figure(&Sample::p50_us)},
      {"p99_us", cell.figure(&Sample::p99_us)},
      {"p999_us", cell.figure(&Sample::p999_us)},
      {"cpu_us", cell.figure(&Sample::cpu_us)},
      {"database_cpu_us", cell.figure(&Sample::database_cpu_us)},
      {"generator_share", cell.figure(&Sample::generator_share)},
      {"clients", static_cast<double>(cell.clients)},
      {"arrivals_per_second", cell.per_second},
      {"requests", static_cast<double>(cell.requests)}};
  return fmt::format(
      R"({{"id":"{}","title":"{}","host":"{}","figures":{},"runs":[{}],"slot_ms":{},"answers_per_second":{},"distribution":{}}})",
      escaped(cell.id), escaped(cell.title), escaped(cell.host_name), object_of(figures), runs,
      LoadResult::slot_ms, list_of(cell.answers_per_second), distribution_of(cell));
}

std::string goals_json() {
  return "{" +
         joined(goals(),
                [](const Goal& goal) {
                  return fmt::format(R"("{}":{{"{}":{:g}}})", goal.name,
                                     goal.at_least ? "at_least" : "at_most", goal.bound);
                }) +
         "}";
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

}  // namespace

void print_tables(const Report& report) {
  print_cells(report);
  print_goals(report);
  fmt::print("\n");
  for (const auto& [name, value] : report.figures) fmt::print("{}: {:.4g}\n", name, value);
  for (const auto& test : report.stress) {
    fmt::print("{}: {} ({})\n", test.name, test.measured, test.reached ? "reached" : "NOT REACHED");
  }
  for (const auto& what : report.wrong) fmt::print("WRONG: {}\n", what);
  fmt::print(
      "{} rows read back{}\n{:.0f} s{}\n", report.rows_checked,
      report.wrong.empty() ? ": every acknowledged write is there once, numbers without a gap."
                           : ", and something is wrong.",
      report.seconds,
      report.quick ? "; --quick: short and small, for finding errors, not for its figures" : "");
}

void write_json(const Report& report, const std::string& path) {
  const auto cells = joined(report.cells, [](const Cell* cell) { return json_of(*cell); }, ",\n");
  const auto stress = joined(report.stress, [](const StressResult& test) {
    return fmt::format(R"({{"name":"{}","measured":"{}","reached":{}}})", test.name,
                       escaped(test.measured), test.reached);
  });
  const auto wrong =
      joined(report.wrong, [](const std::string& what) { return '"' + escaped(what) + '"'; });
  std::ofstream file(path);
  file << fmt::format(
      "{{\"quick\":{},\"seconds\":{:.0f},\"processor\":\"{}\",\"cores\":{},\n\"ratios\":{},\n"
      "\"goals\":{},\n\"figures\":{},\n\"stress\":[{}],\n\"rows_checked\":{},\n\"wrong\":[{}],"
      "\n\"cells\":[\n{}\n]}}\n",
      report.quick, report.seconds, escaped(processor()), ::sysconf(_SC_NPROCESSORS_ONLN),
      object_of(report.ratios), goals_json(), object_of(report.figures), stress,
      report.rows_checked, wrong, cells);
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace catbird::bench
