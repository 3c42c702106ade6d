// SPDX-License-Identifier: MIT
#include "sim/run.hpp"

#include "obs/log.hpp"
#include "sim/node.hpp"
#include "sim/scratch.hpp"
#include "storage/memory/memory_store.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace catbird::sim {

namespace {

constexpr std::size_t steps_max = 300'000;
constexpr std::chrono::seconds converge_within{10};  // R2
constexpr std::uint64_t down_ms_max = 500;

class Run {
 public:
  explicit Run(const RunOptions& options)
      : sim_(options.seed),
        swarm_(prepare(options)),
        clock_(sim_),
        model_(book_, swarm_.convos),
        oracle_(model_, book_, swarm_[Hazard::clock] != 0 || swarm_[Hazard::leap] != 0),
        network_(sim_.lane()),
        outside_{sim_,    swarm_,   model_,
                 book_,   oracle_,  clock_,
                 totals_, network_, [this] { return node_.get(); }} {
    lanes_ = {{&sim_.lane(), &sim_.lane()}, &sim_.lane(), &sim_.lane()};
    nemesis_lane_ = &sim_.lane();
    description_ = swarm_.describe();
    if (options.backend != Backend::memory) {
      scratch_ = Scratch::make(options.backend);
      real_ = scratch_->open();
    } else {
      disk_.on_read([this] { return !quiet_ && sim_.chance(swarm_[Hazard::read]); });
    }
    if (swarm_[Hazard::intruder] != 0) intruder_.emplace(outside_, open_store());
    make_clients();
  }
  ~Run() {
    for (auto& watcher : watchers_) watcher->cut();
    sim_.kill_all();
  }

  RunResult run() {
    boot();
    for (auto& client : clients_) client->start();
    for (auto& watcher : watchers_) watcher->start();
    nemesis_->start();
    const auto operations = swarm_.operations;
    drive([this] { return all_done(); });
    heal();
    converge();
    if (model_.violations().empty()) finish();
    count();
    return {.violations = model_.violations(),
            .hash = sim_.trace().hash(),
            .swarm = description_,
            .totals = totals_,
            .lines = sim_.trace().lines(),
            .clients = clients_.size(),
            .operations = operations};
  }

 private:
  Swarm prepare(const RunOptions& options) {
    if (options.record) sim_.trace().record();
    return Swarm::draw(sim_, options.backend, options.limits);
  }

  void make_clients() {
    const auto count = std::max<std::size_t>(swarm_.clients, 1);
    std::vector<std::size_t> user_of_client;
    std::size_t users = 0;
    for (std::size_t i = 0; i < count; ++i) {  // some users have two devices
      const bool second = i >= 2 && sim_.chance(30);
      user_of_client.push_back(second ? sim_.pick(users) : users++);
    }
    for (std::size_t i = 0; i < count; ++i) {
      clients_.push_back(std::make_unique<Client>(
          outside_, sim_.lane(),
          Client::Identity{i, user_of_client[i], "dev" + std::to_string(i), users},
          swarm_.operations / count + 1));
    }
    for (std::size_t i = 0; i < swarm_.watchers; ++i) {
      StreamCheck::Scope scope{.user = sim_.pick(users)};
      if (sim_.chance(40)) scope.only = sim_.pick(swarm_.convos);
      watchers_.push_back(std::make_unique<Watcher>(outside_, sim_.lane(), scope));
    }
    nemesis_ = std::make_unique<Nemesis>(
        outside_, *nemesis_lane_,
        Nemesis::Powers{.crash = [this] { crash(); },
                        .sweep =
                            [this] {
                              if (node_) node_->sweep();
                            },
                        .pause =
                            [this](bool lane, std::chrono::milliseconds time) {
                              (lane ? lanes_.lane : lanes_.reads)->pause(time);
                            },
                        .jump_ms = [this](std::int64_t jump) { clock_.jump_ms += jump; },
                        .intrude = [this](std::size_t convo) { intrude(convo); }});
  }

  void intrude(std::size_t convo) {
    if (!intruder_ || !model_.convo(convo).now().exists) return;
    quiet_ = true;
    intruder_->write(convo);
    quiet_ = false;
  }

  std::unique_ptr<storage::Stores> open_store() {
    return real_ ? share(*real_) : storage::open_memory(disk_);
  }

  void boot() {
    if (node_) return;
    const auto mode = sim_.chance(swarm_.direct_percent) ? Mode::direct : Mode::actors;
    if (totals_[Count::boots]++ != 0 && mode != mode_) ++totals_[Count::flips];
    mode_ = mode;
    quiet_ = true;
    auto witness = std::make_unique<Witness>(
        open_store(),
        Witness::Setting{
            .model = model_,
            .fate = [this] { return fate(); },
            .before_unsynced = [this] { disk_.inject(storage::Fault::committed_unsynced); },
            .foreign = false});
    node_ = std::make_unique<SimNode>(std::move(witness),
                                      SimNode::Setting{lanes_, clock_, model_, swarm_, mode_});
    quiet_ = false;
    sim_.trace().note(sim_.now(), Trace::everywhere, "boot");
  }

  Fate fate() {
    const auto struck = [this](Hazard hazard) {
      if (!sim_.chance(swarm_[hazard])) return false;
      ++totals_[Count::commit_faults];
      sim_.trace().note(sim_.now(), Trace::everywhere,
                        std::string("a transaction is ") + name_of(hazard));
      return true;
    };
    if (doomed_) return Fate::failed;
    if (struck(Hazard::failed)) return Fate::failed;
    if (struck(Hazard::full)) return Fate::full;
    if (struck(Hazard::lost)) return Fate::lost;
    if (struck(Hazard::committed)) return Fate::committed;
    if (!struck(Hazard::unsynced)) return Fate::done;
    // The process dies with the answer; what it had written may be durable or not (D5).
    doomed_ = true;
    sim_.urgent([this] { crash(); });
    return sim_.chance(50) ? Fate::committed : Fate::unsynced;
  }

  void crash() {
    doomed_ = false;
    if (!node_) return;
    ++totals_[Count::crashes];
    sim_.trace().note(sim_.now(), Trace::everywhere, "crash");
    for (auto& watcher : watchers_) watcher->cut();
    sim_.kill(lanes_.all());
    close_node();
    disk_.crash();
    nemesis_lane_->post_after(std::chrono::milliseconds(sim_.pick(down_ms_max)),
                              [this] { boot(); });
  }

  void close_node() {
    const auto& metrics = node_->metrics();
    const auto add = [&](Count count, double amount) {
      totals_[count] += static_cast<std::uint64_t>(amount);
    };
    add(Count::passivations, metrics.total("actor_stops_total", "reason=idle"));
    add(Count::reloads, metrics.total("actor_restarts_total"));
    add(Count::mailbox_full, metrics.total("actor_mailbox_full_events_total"));
    add(Count::deadlines, metrics.total("actor_message_drops_total", "reason=deadline"));
    // What an intruder wrote is not in memory until the next write meets its fence.
    if (!intruder_ && metrics.total("actor_audit_mismatches_total") != 0) {
      model_.violate("O8: an actor's memory differed from the store");
    }
    if (metrics.total("actor_message_drops_total", "reason=quarantined") != 0) {
      model_.violate("R2: a request broke its actor every time");
    }
    node_.reset();
  }

  bool all_done() const {
    return std::ranges::all_of(clients_, [](const auto& client) { return client->done(); });
  }
  bool caught_up() const {
    return std::ranges::all_of(watchers_, [](const auto& one) { return one->caught_up(); });
  }

  template <class Condition>
  bool drive(Condition reached, std::optional<actors::Instant> until = std::nullopt) {
    while (!reached()) {
      if (!model_.violations().empty() || ++steps_ > steps_max) return false;
      if (until && sim_.now() > *until) return false;
      if (!sim_.step()) return reached();
    }
    return true;
  }

  void heal() {
    swarm_.calm();
    nemesis_->stop();
    for (auto& client : clients_) client->stop();
    sim_.trace().note(sim_.now(), Trace::everywhere, "faults off");
  }

  // All retried work succeeds, everyone reads all there is, and streams catch up (R2).
  void converge() {
    if (!model_.violations().empty()) return;
    const auto limit = sim_.now() + converge_within;
    steps_ = 0;
    if (!drive([this] { return node_ != nullptr && all_done(); }, limit)) return stuck();
    for (auto& client : clients_) client->close();
    if (!drive([this] { return all_done() && caught_up(); }, limit + converge_within)) stuck();
  }

  void stuck() {
    if (!model_.violations().empty()) return;
    model_.violate("R2: no convergence after the faults");
    for (const auto& client : clients_) {
      if (!client->done()) model_.violate("R2: " + client->describe());
    }
    for (const auto& watcher : watchers_) {
      if (!watcher->caught_up()) model_.violate("R2: " + watcher->describe());
    }
  }

  void finish() {
    quiet_ = true;
    auto stores = open_store();
    auto reader = stores->open_reader();
    if (!reader) return model_.violate("D1: the store cannot be read");
    oracle_.finish(**reader, clock_.now());
  }

  void count() {
    for (auto& watcher : watchers_) watcher->cut();
    sim_.kill_all();
    if (node_) close_node();
    for (std::size_t i = 0; i < model_.convos_count(); ++i) {
      const auto& convo = model_.convo(i);
      totals_[Count::rows] += convo.rows.size();
      for (const auto& row : convo.rows) {
        if (row.kind == core::Kind::commit) ++totals_[Count::commits];
      }
      totals_[Count::welcomes] += convo.now().welcomes->size();
      for (std::size_t v = 1; v < convo.versions.size(); ++v) {
        const auto& before = convo.versions[v - 1];
        const bool changed = std::ranges::any_of(convo.versions[v].members, [&](const auto& one) {
          return before.active(one.first) != one.second.active;
        });
        if (changed) ++totals_[Count::roster_changes];
      }
    }
    for (const auto& op : book_.all()) {
      if (op.applied != 0 && governs(op.command)) ++totals_[Count::governance];
    }
    for (const auto& [ref, package] : model_.packages()) {
      if (package.consumed) ++totals_[Count::packages_used];
    }
  }

  Simulator sim_;
  Swarm swarm_;
  SimClock clock_;
  Book book_;
  Model model_;
  Oracle oracle_;
  Totals totals_;
  Simulator::Lane& network_;
  Outside outside_;
  std::string description_;
  storage::MemoryDisk disk_;
  std::unique_ptr<Scratch> scratch_;
  std::shared_ptr<storage::Stores> real_;
  std::optional<Intruder> intruder_;
  SimNode::Lanes lanes_{};
  Simulator::Lane* nemesis_lane_ = nullptr;
  std::unique_ptr<Nemesis> nemesis_;
  std::unique_ptr<SimNode> node_;
  Mode mode_ = Mode::actors;
  bool doomed_ = false;
  bool quiet_ = false;  // the second owner, or the checks, are at the disk
  std::size_t steps_ = 0;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<std::unique_ptr<Watcher>> watchers_;
};

}  // namespace

RunResult run_seed(const RunOptions& options) {
  obs::configure_log("off");  // what the server would say a million times
  return Run(options).run();
}

}  // namespace catbird::sim
