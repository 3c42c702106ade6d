// SPDX-License-Identifier: MIT
#include "bench/stress.hpp"

#include "bench/seed.hpp"
#include "storage/reader.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>
#include <thread>

namespace catbird::bench {

namespace {

constexpr std::size_t members = 5;

[[noreturn]] void wrong(const std::string& what) {
  throw std::runtime_error("wrong outcome: " + what);
}

/// A started server on a database of its own that holds only `group`.
Host start(World& world, const Group& group, const Variables& variables = {}) {
  auto host = world.make_host(group.name, world.make_postgres(group.name, {group}), variables);
  host.server->start();
  return host;
}

Cell send_cell(Host& host, const Group& group, std::size_t clients) {
  Cell cell{.id = group.name, .title = group.name, .host = &host};
  cell.work = Work::send;
  cell.group = group;
  cell.clients = clients;
  return cell;
}

void finish(World& world, Host& host, Report& report) {
  report.rows_checked += host.ledger.check(host.server->port(), world.traffic);
  if (!host.server->stop()) wrong("a server did not end with 0");
}

void conversations_concurrent(World& world, Report& report) {
  constexpr std::size_t convos = 1'000;
  constexpr std::size_t messages = 100;  // of 100 bytes, to each
  constexpr double rate_min = 100;
  constexpr double p99_us_max = 1e6;
  const Group group{.name = "stress_concurrent", .convos = convos, .members = members};
  auto host = start(world, group);
  auto cell = send_cell(host, group, convos);
  const auto result = run_once(world.traffic, cell, convos * messages);
  finish(world, host, report);
  report.stress.push_back(
      {"test_1000_conversations_concurrent",
       fmt::format("{:.0f} messages/s, p99 {:.1f} ms; asked for over 100, below 1 s",
                   result.per_second(), result.percentile_us(99) / 1000),
       result.per_second() > rate_min && result.percentile_us(99) < p99_us_max});
  say("test_1000_conversations_concurrent");
}

void sustained_load(World& world, Report& report) {
  constexpr std::size_t convos = 10;
  constexpr double rate = 100;
  constexpr double rate_min = 90;
  constexpr double part_seconds = 15;
  const Group group{.name = "stress_sustained", .convos = convos, .members = members};
  auto host = start(world, group);
  auto cell = send_cell(host, group, 64);
  cell.per_second = rate;
  // In parts: tokens do not live as long as the test.
  std::vector<double> latencies_us;
  double seconds = 0;
  const auto parts = std::lround(world.sizes.sustained_seconds / part_seconds);
  for (auto part_number = 0L; part_number < parts; ++part_number) {
    const auto part = run_once(world.traffic, cell, static_cast<std::size_t>(rate * part_seconds));
    latencies_us.insert(latencies_us.end(), part.latencies_us.begin(), part.latencies_us.end());
    seconds += part.seconds;
  }
  std::ranges::sort(latencies_us);
  const auto reached = static_cast<double>(latencies_us.size()) / seconds;
  const auto p99_us = latencies_us[latencies_us.size() * 99 / 100];
  const auto actors = host.server->metric("actor_registry_active_actors");
  if (actors != convos) wrong(fmt::format("{} actors for {} conversations", actors, convos));
  finish(world, host, report);
  report.stress.push_back(
      {"test_sustained_load",
       fmt::format("{:.1f} messages/s for {:.0f} s, no error, {} actors, p99 {:.1f} ms; asked for "
                   "90 and {} actors",
                   reached, seconds, actors, p99_us / 1000, convos),
       reached >= rate_min});
  say("test_sustained_load");
}

/// What a second server that takes a conversation over does to the first: the row gets a new fence,
/// and the actor there learns at its next write that it is none any more.
void take_over(storage::Stores& stores, const Group& group, std::size_t number) {
  auto reader = stores.open_reader();
  const auto fence = stores.writer().draw_fence();
  if (!reader || !fence) wrong("no second writer");
  while (true) {
    const auto loaded = (*reader)->load(core::ConvoId(group.convo(number)));
    if (!loaded) wrong("a conversation does not load");
    storage::WriteSet set;
    set.convo = core::ConvoId(group.convo(number));
    set.row = loaded->row;
    set.seen = loaded->fence;
    set.fence = *fence;
    set.version = loaded->version;
    set.last_seq = set.new_last_seq = loaded->state.last_seq;
    set.epoch = set.new_epoch = loaded->state.epoch;
    set.events.emplace_back(
        core::ReadMarked{core::Did(group.did(number, 1)), loaded->state.last_seq});
    const auto result = stores.writer().commit({&set, 1}, {}).sets.front();
    if (result.status == storage::CommitStatus::committed) return;
    if (result.status != storage::CommitStatus::fenced) wrong(result.error.detail);
  }
}

/// Sends what was refused again, as clients do, until all of it is acknowledged.
void send_again(World& world, Cell& cell, std::vector<std::pair<std::size_t, std::uint64_t>> rest) {
  constexpr std::size_t rounds_max = 100;
  constexpr std::chrono::milliseconds pause{100};
  for (std::size_t round = 0; !rest.empty(); ++round) {
    if (round == rounds_max) wrong("messages stay refused");
    std::this_thread::sleep_for(pause);
    LoadPlan plan{.port = cell.host->server->port(), .clients = cell.clients, .requests = {}};
    for (const auto& [convo, message] : rest) {
      plan.requests.push_back(world.traffic.send_message(cell.group, convo, message));
    }
    std::vector<std::pair<std::size_t, std::uint64_t>> left;
    run_load(plan, [&](const Answer& answer) {
      const auto& [convo, message] = rest[answer.request];
      if (answer.status == 200) {
        cell.host->ledger.sent(cell.group, convo, message, answer.body);
      } else {
        left.emplace_back(convo, message);
      }
    });
    rest = std::move(left);
  }
}

void actor_restart(World& world, Report& report) {
  constexpr std::size_t convos = 100;
  constexpr std::size_t messages = 50;  // to each
  constexpr std::size_t to_take = convos / 10;
  const Group group{.name = "stress_restart", .convos = convos, .members = members};
  // Not exclusive: there is a second writer.
  auto host = start(world, group, {{"DATABASE_EXCLUSIVE", "false"}});
  const auto stores = open_stores(host.database);
  auto cell = send_cell(host, group, 64);

  std::vector<std::pair<std::size_t, std::uint64_t>> sent;
  LoadPlan plan{.port = host.server->port(), .clients = cell.clients, .requests = {}};
  for (std::size_t i = 0; i < convos * messages; ++i) {
    sent.emplace_back(i % convos, world.traffic.next_message());
    plan.requests.push_back(
        world.traffic.send_message(group, sent.back().first, sent.back().second));
  }
  std::vector<std::pair<std::size_t, std::uint64_t>> refused;
  std::size_t answers = 0;
  std::size_t taken = 0;
  run_load(plan, [&](const Answer& answer) {
    const auto& [convo, message] = sent[answer.request];
    if (answer.status == 200) host.ledger.sent(group, convo, message, answer.body);
    if (answer.status != 200) refused.emplace_back(convo, message);
    if (answer.status != 200 && answer.status != 503) wrong(std::string(answer.body));
    // One after the other in the middle of the run, while the other clients' requests are open.
    ++answers;
    const bool next = answers >= convos * messages * 2 / 5 && answers % plan.clients == 0;
    if (next && taken < to_take) take_over(*stores, group, taken++ * convos / to_take);
  });
  const auto again = refused.size();
  send_again(world, cell, std::move(refused));

  const auto restarts = host.server->metric("actor_restarts_total");
  if (restarts < to_take) {
    wrong(fmt::format("{} actors were restarted, not {}", restarts, to_take));
  }
  auto epochs = cell;
  epochs.work = Work::epoch;
  run_once(world.traffic, epochs, convos);
  finish(world, host, report);
  report.stress.push_back(
      {"test_actor_restart_under_load",
       fmt::format("{} of {} messages stored, {} actors restarted, {} requests sent again, every "
                   "conversation answers getEpoch; asked for 80 %",
                   convos * messages, convos * messages, restarts, again),
       true});
  say("test_actor_restart_under_load");
}

}  // namespace

void run_stress_tests(World& world, Report& report) {
  conversations_concurrent(world, report);
  actor_restart(world, report);
  sustained_load(world, report);
}

}  // namespace catbird::bench
