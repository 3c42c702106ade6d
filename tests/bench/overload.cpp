// SPDX-License-Identifier: MIT
#include "bench/overload.hpp"

#include "bench/axes.hpp"
#include "bench/seed.hpp"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <stdexcept>

namespace catbird::bench {

namespace {

// With one lane a transaction holds 1 MiB: about 240 of these frames, ten times a second.
constexpr std::size_t ciphertext_bytes = 3'000;
const std::string flush_ms = "100";
// One transaction in the making and one waiting: all that the server lets wait, so none is refused.
constexpr std::size_t peak_clients = 480;
constexpr std::size_t open_clients = 4'096;
constexpr double high_load = 0.8;
/// Of a closed loop: after it, some clients have nothing left to send.
constexpr double full_share = 0.9;
constexpr double too_high_load = 5;

/// 200 answers per second in the first `seconds` of a run, without their first quarter.
double goodput(const LoadResult& result, double seconds) {
  const auto slots = std::min(static_cast<std::size_t>(seconds * 1000) / LoadResult::slot_ms,
                              result.per_slot.size());
  const auto from = slots / 4;
  const auto answers =
      std::accumulate(result.per_slot.begin() + static_cast<std::ptrdiff_t>(from),
                      result.per_slot.begin() + static_cast<std::ptrdiff_t>(slots), std::size_t{0});
  return static_cast<double>(answers) * 1000 /
         static_cast<double>((slots - from) * LoadResult::slot_ms);
}

}  // namespace

Overload::Overload(World& world) : world_(world) {
  // PostgreSQL may run as another user, who need not be able to read the build folder.
  const auto shim = world.folder.file("commit_delay.so");
  std::filesystem::copy_file(world.options.shim, shim);
  postgres_ = std::make_unique<Postgres>(
      world.options.postgres, world.folder.file("slow_postgres"),
      Variables{{"LD_PRELOAD", shim}, {"CATBIRD_BENCH_COMMIT_DELAY_MS", flush_ms}});
  const auto url = postgres_->create("overload");
  seed(*open_stores(url), {talk_group()});
  host_ = world.make_host("overload", url);
  host_.postgres = postgres_.get();
  host_.server->start();
  cell("overload_peak", "Slow log: sendMessage, as much as it can do");
  cell("overload_80", "Slow log: sendMessage, open loop at 80 % of that");
  cell("overload_5x", "Slow log: sendMessage, open loop at five times that");
}

Cell& Overload::cell(const std::string& id, const std::string& title) {
  cells_.push_back({.id = id, .title = title, .host_name = "overload", .host = &host_});
  auto& added = cells_.back();
  added.work = Work::send;
  added.group = talk_group();
  added.may_refuse = true;
  added.clients = cells_.size() == 1 ? peak_clients : open_clients;
  return added;
}

void Overload::run() {
  world_.traffic.use_messages_of(ciphertext_bytes);
  auto& peak = cells_.front();
  warm_up(world_.traffic, peak, world_.sizes.open_seconds);
  for (std::size_t i = 0; i < world_.sizes.repetitions; ++i) measure_one();
  world_.traffic.use_messages_of(short_ciphertext_bytes);
  rows_checked_ = host_.ledger.check(host_.server->port(), world_.traffic);
  if (!host_.server->stop()) throw std::runtime_error("wrong outcome: a server did not end with 0");
  host_.postgres = nullptr;
  postgres_.reset();
  say("overload");
}

void Overload::measure_one() {
  const auto seconds = world_.sizes.open_seconds;
  const auto closed = measure(world_.traffic, cells_[0]);
  const auto peak = goodput(closed, closed.seconds * full_share);
  auto at = [&](Cell& cell, double load) {
    cell.per_second = load * peak;
    cell.requests = static_cast<std::size_t>(cell.per_second * seconds);
    return measure(world_.traffic, cell);
  };
  const auto high = at(cells_[1], high_load);
  const auto over = at(cells_[2], too_high_load);
  goodput_.push_back(goodput(over, seconds) / peak);
  generator_.push_back(over.generator_cpu_seconds / seconds);
  tail_.push_back(over.percentile_us(99) / high.percentile_us(99));
}

void Overload::add_to(Report& report) const {
  for (const auto& cell : cells_) report.cells.push_back(&cell);
  report.rows_checked += rows_checked_;
  report.ratios["overload_goodput"] = median(goodput_);
  report.ratios["overload_p99"] = median(tail_);
  report.figures["overload_generator_cores"] = median(generator_);
}

}  // namespace catbird::bench
