// SPDX-License-Identifier: MIT
// Power cuts under the SQLite store: a process works, the power goes at some point of its writing,
// and what is left of the disk must hold every promise it made (reliability.md G7, DECISIONS 32).
//   catbird-crash [--cuts N] [--from SEED] [--plant no-fsync|early-reply]
// Exits 1 if a promise is broken; with --plant, if none is. A failing seed is run again by --from.
#include "crash/life.hpp"
#include "support/temp_dir.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

namespace catbird::crash {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t lives_per_seed = 4;  // each begins with what a cut left of the one before
constexpr std::size_t cuts_per_life = 6;
constexpr std::size_t batches_min = 5;
constexpr std::size_t batches_more = 50;
constexpr std::size_t failures_max = 10;  // told, and then it ends

struct Options {
  std::size_t cuts = 1000;
  std::uint64_t from = 1;
  Plant plant = Plant::none;
};

struct Tally {
  std::size_t cuts = 0, failures = 0;
  std::size_t in_flight = 0, in_flight_kept = 0;  // cuts inside a transaction
  std::size_t at_start = 0;                       // before the first start was complete
  std::size_t log_resets = 0, batches = 0;
};

/// In memory if possible: the real disk is not what is tested.
fs::path scratch() {
  auto pattern = (test::TempDir::in_memory() / "catbird-crash-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) std::abort();
  return pattern;
}

std::string lay_out(const Image& image, const fs::path& folder) {
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (const auto& [name, bytes] : image) {
    std::ofstream file(folder / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  return folder.string();
}

/// Anywhere, but half of the time right beside a sync, where promises begin, and once in each life
/// before its start is complete.
std::size_t choose_cut(const Recording& recording, bool in_start, Random& random) {
  const auto ops = in_start ? recording.marks.front().at : recording.ops.size();
  const auto at = pick(random, ops + 1);
  if (pick(random, 2) == 0) return at;
  for (auto near = at; near < ops; ++near) {
    if (recording.ops[near].kind == Op::Kind::sync) return near + pick(random, 2);
  }
  return at;
}

/// The log began anew: its first bytes were written more than once.
std::size_t resets_of(const Recording& recording) {
  std::size_t headers = 0;
  for (const auto& op : recording.ops) {
    const bool log = recording.files[op.file].name.ends_with("-wal");
    if (log && op.kind == Op::Kind::write && op.offset == 0) ++headers;
  }
  return headers > 0 ? headers - 1 : 0;
}

class Seed {
 public:
  Seed(std::uint64_t seed, Plant plant, fs::path folder, Tally& tally)
      : seed_(seed),
        plant_(plant),
        folder_(std::move(folder)),
        tally_(tally),
        random_(seed),
        history_(seed) {}

  void run() {
    for (std::size_t life = 1; life <= lives_per_seed; ++life) {
      if (!run_life(life)) return;
    }
  }

 private:
  bool run_life(std::size_t life) {
    Recording recording;
    for (const auto& [name, bytes] : disk_) recording.files.push_back({name, bytes, true});
    const LifeOptions options{.folder = lay_out(disk_, folder_ / "life"),
                              .batches = batches_min + pick(random_, batches_more),
                              .mode = pick(random_, 2) == 0 ? Mode::actors : Mode::direct,
                              .plant = plant_};
    earlier_.incarnations.insert(live(history_, options, recording));
    tally_.batches += options.batches;
    tally_.log_resets += resets_of(recording);
    Promises promises;
    Verdict verdict;
    for (std::size_t i = 0; i < cuts_per_life; ++i) {
      const auto at = choose_cut(recording, i == 0, random_);
      promises = promises_at(recording, at, earlier_);
      disk_ = cut_power(recording, at, random_);
      verdict = judge(history_, promises, lay_out(disk_, folder_ / "cut"));
      count(promises, verdict);
      if (verdict.broken.empty()) continue;
      tell(life, at, recording.ops.size(), verdict.broken);
      return false;
    }
    // The next life goes on from the last cut.
    history_.rewind(verdict.kept);
    if (!promises.opened) promises.incarnations.clear();
    promises.started = promises.acknowledged = verdict.kept;
    earlier_ = std::move(promises);
    return true;
  }

  void count(const Promises& promises, const Verdict& verdict) {
    ++tally_.cuts;
    tally_.at_start += promises.opened ? 0 : 1;
    if (promises.started == promises.acknowledged) return;
    ++tally_.in_flight;
    tally_.in_flight_kept += verdict.kept == promises.started ? 1 : 0;
  }

  void tell(std::size_t life, std::size_t at, std::size_t ops, const std::string& broken) {
    ++tally_.failures;
    fmt::print("seed {} life {} cut at {} of {}: {}\n", seed_, life, at, ops, broken);
  }

  std::uint64_t seed_;
  Plant plant_;
  fs::path folder_;
  Tally& tally_;
  Random random_;
  History history_;
  Image disk_;
  Promises earlier_;
};

std::optional<Options> read_options(int count, char** words) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = words[i];
    const std::string_view value = words[i + 1];
    std::uint64_t number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    if (name == "--cuts" && number > 0) {
      options.cuts = number;
    } else if (name == "--from" && number > 0) {
      options.from = number;
    } else if (name == "--plant" && value == "no-fsync") {
      options.plant = Plant::no_fsync;
    } else if (name == "--plant" && value == "early-reply") {
      options.plant = Plant::early_reply;
    } else {
      return std::nullopt;
    }
  }
  if (count % 2 == 0) return std::nullopt;
  return options;
}

int run(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  const auto folder = scratch();
  Tally tally;
  auto seed = options.from;
  const auto enough = options.plant == Plant::none ? failures_max : 1;
  while (tally.cuts < options.cuts && tally.failures < enough) {
    Seed(seed++, options.plant, folder, tally).run();
  }
  const bool found = tally.failures > 0;
  const bool keep = found && options.plant == Plant::none;
  if (keep) fmt::print("the disk of the last failure is in {}\n", (folder / "cut").string());
  if (!keep) fs::remove_all(folder);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  fmt::print("{} power cuts over seeds {} to {}: {} broken promises\n", tally.cuts, options.from,
             seed - 1, tally.failures);
  fmt::print(
      "  {} batches, {} log resets; {} cuts in the first start, {} inside a transaction ({} kept"
      " whole), {:.1f} s\n",
      tally.batches, tally.log_resets, tally.at_start, tally.in_flight, tally.in_flight_kept,
      took.count());
  return found == (options.plant != Plant::none) ? 0 : 1;
}

}  // namespace
}  // namespace catbird::crash

int main(int count, char** words) {
  const auto options = catbird::crash::read_options(count, words);
  if (!options) {
    fmt::print(stderr, "usage: {} [--cuts N] [--from SEED] [--plant no-fsync|early-reply]\n",
               words[0]);
    return 2;
  }
  return catbird::crash::run(*options);
}
