// SPDX-License-Identifier: MIT
// Clients retry until they know; the disk fails, lies low and comes back; the process dies and
// starts again; actors leave memory between any two messages. Whatever the seed: one commit per
// base epoch (O1), numbers 1..N without a gap (O3), answers that agree with real time (O5), and
// every retry gets the first answer (P1).
#include "sim/clients.hpp"
#include "sim/history.hpp"
#include "sim/world.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace catbird::sim {
namespace {

constexpr std::uint64_t seeds_count = 200;
constexpr std::size_t operations_per_client = 25;
constexpr std::size_t watchers_count = 2;
constexpr std::size_t reads_per_watcher = 150;
constexpr int steps_max = 400'000;

struct Faults {
  std::uint64_t batch_percent = 0;
  std::uint64_t read_percent = 0;
  std::uint64_t crash_percent = 0;    // of nemesis rounds
  std::uint64_t intrude_percent = 0;  // of nemesis rounds
};

class Run {
 public:
  explicit Run(std::uint64_t seed) : sim_(seed), clock_(sim_) {
    faults_ = {.batch_percent = sim_.pick(3) * 8,
               .read_percent = sim_.pick(2) * 5,
               .crash_percent = sim_.pick(3) * 10,
               .intrude_percent = sim_.pick(3) == 0 ? 30U : 0U};
    lanes_ = {{&sim_.lane(), &sim_.lane()}, &sim_.lane(), &sim_.lane()};
    disk_.on_batch(
        [this](auto, auto) { return intruder_.busy() ? storage::Fault::none : choose(); });
    disk_.on_read([this] { return !intruder_.busy() && sim_.chance(faults_.read_percent); });
    nemesis_lane_ = &sim_.lane();
    boot();
  }

  History& run() {
    create();
    for (std::size_t user = 0; user < users_count; ++user) start_client(user, false);
    for (std::size_t user = 0; user < watchers_count; ++user) start_client(user, true);
    nemesis_lane_->post([this] { nemesis(); });
    drive();
    faults_ = {};
    check();
    return history_;
  }

 private:
  storage::Fault choose() {
    using enum storage::Fault;
    if (doomed_ || !sim_.chance(faults_.batch_percent)) return doomed_ ? unknown_unsynced : none;
    switch (sim_.pick(5)) {
      case 0:
        return fail_before;
      case 1:
        return full;
      case 2:
        return unknown_lost;
      case 3:
        return unknown_committed;
      default:
        // A failed sync is fatal (D5): nothing more is acknowledged, the process dies.
        doomed_ = true;
        sim_.urgent([this] { crash(); });
        return unknown_unsynced;
    }
  }

  void start_client(std::size_t user, bool watches) {
    clients_.push_back(std::make_unique<Client>(
        Client::Setting{sim_, sim_.lane(), history_,
                        [this] { return node_ ? &node_->gateway() : nullptr; }, watches},
        user, watches ? reads_per_watcher : operations_per_client));
    clients_.back()->start();
  }

  void boot() { node_ = std::make_unique<SimNode>(lanes_, disk_, clock_); }

  void crash() {
    if (!node_) return;
    sim_.kill(lanes_.all());
    mismatches_ += node_->audit_mismatches();
    node_.reset();
    disk_.crash();
    doomed_ = false;
    nemesis_lane_->post_after(std::chrono::milliseconds(sim_.pick(500)), [this] { boot(); });
  }

  void nemesis() {
    if (node_ && sim_.chance(faults_.crash_percent)) crash();
    if (node_ && sim_.chance(40)) node_->gateway().sweep();
    if (sim_.chance(faults_.intrude_percent))
      intruder_.write(sim_.pick(convos_count), clock_.now());
    if (sim_.chance(20)) lanes_.lane->pause(std::chrono::milliseconds(sim_.pick(300)));
    if (sim_.chance(5)) clock_.jump_ms += sim_.chance(50) ? 31'536'000'000 : -31'536'000'000;
    if (!all_done()) {
      nemesis_lane_->post_after(std::chrono::milliseconds(20 + sim_.pick(80)),
                                [this] { nemesis(); });
    }
  }

  bool all_done() const {
    for (const auto& client : clients_) {
      if (!client->done()) return false;
    }
    return true;
  }

  // Conversations exist before the faults begin.
  void create() {
    const auto kept = std::exchange(faults_, Faults{});
    std::size_t created = 0;
    for (std::size_t convo = 0; convo < convos_count; ++convo) {
      node_->gateway().ask(
          convo_name(convo), create_command(convo), sim_.now() + std::chrono::seconds(8),
          [&](const Result<core::Outcome>& outcome) { created += outcome.has_value(); });
    }
    while (sim_.step()) {
    }
    ASSERT_EQ(created, convos_count);
    faults_ = kept;
  }

  void drive() {
    int steps = 0;
    while (sim_.step()) {
      if (all_done()) faults_ = {};
      if (++steps > steps_max) {
        history_.violate("R2: no progress");
        for (const auto& client : clients_) history_.violate(client->describe());
        return;
      }
    }
    if (!all_done()) history_.violate("R2: a client never got an answer");
  }

  void check() {
    if (!node_) boot();
    for (std::size_t convo = 0; convo < convos_count; ++convo) {
      const auto id = convo_name(convo);
      auto rows = node_->reader().page({.convo = id,
                                        .after = core::Seq(0),
                                        .until = core::Seq(1'000'000),
                                        .rows_max = 1'000'000,
                                        .bytes_max = std::size_t{1} << 30U});
      ASSERT_TRUE(rows);
      history_.check(id.value, core::Epoch(0), *rows);
    }
    mismatches_ += node_->audit_mismatches();
    // What an intruder wrote is not in memory until the next write meets its fence.
    if (mismatches_ != 0 && intruder_.written() == 0)
      history_.violate("an actor's memory differed from the store");
  }

  Simulator sim_;
  SimClock clock_;
  History history_;
  storage::MemoryDisk disk_;
  Intruder intruder_{disk_};
  Faults faults_;
  SimNode::Lanes lanes_{};
  Simulator::Lane* nemesis_lane_ = nullptr;
  bool doomed_ = false;
  double mismatches_ = 0;
  std::unique_ptr<SimNode> node_;
  std::vector<std::unique_ptr<Client>> clients_;
};

void run_seed(std::uint64_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed) + " (repeat with CATBIRD_SIM_SEED)");
  Run run(seed);
  auto& history = run.run();
  EXPECT_GT(history.size(), 30U) << "the workload did nothing";
  for (const auto& line : history.violations()) ADD_FAILURE() << line;
}

TEST(ConversationSim, order_and_durability_hold_for_every_seed) {
  if (const char* seed = std::getenv("CATBIRD_SIM_SEED")) {
    run_seed(std::stoull(seed));
    return;
  }
  for (std::uint64_t seed = 1; seed <= seeds_count && !HasFailure(); ++seed) run_seed(seed);
}

}  // namespace
}  // namespace catbird::sim
