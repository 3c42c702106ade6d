// SPDX-License-Identifier: MIT
#include "sim/swarm.hpp"

namespace catbird::sim {

namespace {

struct HazardRow {
  const char* name;
  std::uint64_t percent_max;  // of the events it may strike
  bool real;                  // also on a real database, whose tail and reads we do not control
};

constexpr std::array<HazardRow, hazards_count> rows{
    {{"crash", 12, true},         {"unsynced", 4, false},      {"failed", 12, true},
     {"full", 8, true},           {"lost", 12, true},          {"committed", 12, true},
     {"read", 8, false},          {"slow-lane", 40, true},     {"slow-reads", 40, true},
     {"drop-request", 15, true},  {"drop-reply", 15, true},    {"copy-request", 25, true},
     {"copy-reply", 15, true},    {"passivate", 80, true},     {"leap", 8, true},
     {"tiny-mailbox", 100, true}, {"short-window", 100, true}, {"deadline", 12, true},
     {"intruder", 30, true},      {"clock", 10, true},         {"slow-stream", 60, true},
     {"cut-stream", 25, true}}};

constexpr std::array<std::uint64_t, works_count> usual{24, 5, 10, 12, 6, 3, 2, 4, 6, 4,
                                                       2,  2, 2,  14, 5, 4, 4, 3, 5, 3};

}  // namespace

const char* name_of(Hazard hazard) { return rows[static_cast<std::size_t>(hazard)].name; }

Swarm Swarm::draw(Simulator& sim, Backend backend, const Limits& limits) {
  Swarm swarm;
  swarm.backend = backend;
  const bool real = backend != Backend::memory;
  // Drawn whether or not it is used, so that a shrunk run stays close to the first one.
  for (std::size_t i = 0; i < hazards_count; ++i) {
    const bool on = sim.chance(50);
    const auto level = 1 + sim.pick(rows[i].percent_max);
    if (on && !limits.without[i] && (!real || rows[i].real)) swarm.level[i] = level;
  }
  for (std::size_t i = 0; i < works_count; ++i) {
    const auto factor = sim.pick(4);  // 0: this seed does without, except for the first two
    swarm.weight[i] = usual[i] * (i < 2 || i == static_cast<std::size_t>(Work::list)
                                      ? std::max<std::uint64_t>(factor, 1)
                                      : factor);
  }
  swarm.clients = std::min<std::size_t>(3 + sim.pick(7), limits.clients_max);
  swarm.convos = 1 + sim.pick(3);
  swarm.operations = std::min<std::size_t>(200 + sim.pick(61), limits.operations_max);
  swarm.watchers = sim.pick(4);
  swarm.page_rows_max = sim.chance(50) ? 3 : 50;
  swarm.burst_max = 2 + sim.pick(5);
  swarm.think_ms = sim.chance(50) ? 5 : 60;
  swarm.direct_percent = sim.chance(30) ? 100 : sim.chance(30) ? 50 : 0;
  swarm.again_percent = sim.pick(3) * 10;
  swarm.answer_timeout = std::chrono::milliseconds(200 + sim.pick(4) * 600);
  swarm.retry_delay = std::chrono::milliseconds(sim.chance(50) ? 10 : 150);
  return swarm;
}

std::string Swarm::describe() const {
  constexpr std::array names{"memory;", "sqlite;", "postgres;"};
  std::string text = names[static_cast<std::size_t>(backend)];
  for (std::size_t i = 0; i < hazards_count; ++i) {
    if (level[i] != 0) text += std::string(" ") + rows[i].name + "=" + std::to_string(level[i]);
  }
  return text + "; " + std::to_string(clients) + " clients, " + std::to_string(convos) +
         " convos, " + std::to_string(operations) + " operations, " + std::to_string(watchers) +
         " watchers, direct mode in " + std::to_string(direct_percent) + "% of boots";
}

}  // namespace catbird::sim
