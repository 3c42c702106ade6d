// SPDX-License-Identifier: MIT
#include "bench/memory.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>

namespace catbird::bench {

namespace {

constexpr std::size_t members = 10;
constexpr std::size_t clients = 64;
constexpr double mib = 1024.0 * 1024;
constexpr std::chrono::seconds passivation_max{120};  // beyond the idle time: against hangs
constexpr std::chrono::seconds settling{20};          // more than one sweep of the actors
constexpr std::chrono::milliseconds poll_pause{500};

/// `count` requests, to one conversation each or all to the first: the same work for everything but
/// the actors.
void touch(World& world, Host& host, const Group& group, bool each) {
  constexpr std::size_t at_once = 20'000;  // made before they are sent
  for (std::size_t done = 0; done < group.convos; done += at_once) {
    LoadPlan plan{.port = host.server->port(), .clients = clients, .requests = {}};
    for (std::size_t i = done; i < std::min(done + at_once, group.convos); ++i) {
      plan.requests.push_back(world.traffic.get_epoch(group, each ? i : 0));
    }
    const auto result = run_load(plan);
    if (result.failed() != 0) {
      throw std::runtime_error("wrong outcome: getEpoch was answered " + result.first_failure);
    }
  }
}

double active(const Host& host) { return host.server->metric("actor_registry_active_actors"); }

void wait_until_idle(const Host& host, std::chrono::seconds idle) {
  const auto until = std::chrono::steady_clock::now() + idle + passivation_max;
  while (active(host) != 0) {
    if (std::chrono::steady_clock::now() > until) {
      throw std::runtime_error("wrong outcome: actors stay in memory beyond their idle time");
    }
    std::this_thread::sleep_for(poll_pause);
  }
}

/// Memory goes back to the system a moment after the last actor left: the least seen for a while.
std::size_t settled_rss(const Host& host) {
  auto least = host.server->rss_bytes();
  const auto until = std::chrono::steady_clock::now() + settling;
  while (std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(poll_pause);
    least = std::min(least, host.server->rss_bytes());
  }
  return least;
}

double start_seconds(World& world, Host& host) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < world.sizes.repetitions; ++i) {
    if (i > 0) host.server->stop();
    seconds.push_back(host.server->start());
  }
  return median(seconds);
}

void measure_memory(World& world, Host& host, const Group& group, Report& report) {
  const auto count = static_cast<double>(group.convos);
  const auto ready = host.server->rss_bytes();
  touch(world, host, group, false);
  const auto warm = host.server->rss_bytes();
  touch(world, host, group, true);
  const auto touched = host.server->rss_bytes();
  if (active(host) != count) throw std::runtime_error("wrong outcome: not one actor for each");
  wait_until_idle(host, std::chrono::seconds(world.sizes.idle_seconds));
  const auto after = settled_rss(host);

  auto in_mib = [](std::size_t bytes) { return static_cast<double>(bytes) / mib; };
  report.figures["memory_ready_mib"] = in_mib(ready);
  report.figures["memory_warm_mib"] = in_mib(warm);
  report.figures["memory_touched_mib"] = in_mib(touched);
  report.figures["memory_after_passivation_mib"] = in_mib(after);
  report.figures["memory_conversations"] = count;
  report.ratios["memory_per_conversation_bytes"] = static_cast<double>(touched - warm) / count;
  report.ratios["memory_100k_mib"] = in_mib(touched);
  report.ratios["memory_after_passivation_ratio"] = in_mib(after) / in_mib(warm);
}

}  // namespace

void measure_start_and_memory(World& world, Report& report) {
  const Group idle{.name = "idle",
                   .convos = world.sizes.many_convos,
                   .members = members,
                   .rows = world.sizes.idle_rows};
  const Variables soon{{"ACTOR_IDLE_TIMEOUT_SECONDS", std::to_string(world.sizes.idle_seconds)}};
  {
    auto sqlite = world.make_host("idle_sqlite", world.make_sqlite("idle_sqlite", {idle}));
    report.figures["start_seconds_sqlite"] = start_seconds(world, sqlite);
  }
  auto host = world.make_host("idle", world.make_postgres("idle", {idle}), soon);
  report.ratios["start_seconds"] = start_seconds(world, host);
  say("start");
  measure_memory(world, host, idle, report);
  say("memory");
}

}  // namespace catbird::bench
