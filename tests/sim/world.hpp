// SPDX-License-Identifier: MIT
#pragma once

#include "actors/actor_gateway.hpp"
#include "obs/metrics.hpp"
#include "sim/simulator.hpp"
#include "storage/memory/memory_store.hpp"

#include <memory>
#include <vector>

namespace catbird::sim {

/// One server process in the simulator: gateway, two workers, lane, readers, on a disk that
/// outlives it. The real code but for the executors and the store.
class SimNode {
 public:
  struct Lanes {
    Simulator::Lane* workers[2];
    Simulator::Lane* lane;
    Simulator::Lane* reads;
    std::vector<Simulator::Lane*> all() const { return {workers[0], workers[1], lane, reads}; }
  };

  SimNode(const Lanes& lanes, storage::MemoryDisk& disk, const Clock& clock);

  actors::ActorGateway& gateway() { return *gateway_; }
  storage::Reader& reader() { return *reader_; }
  actors::Engine& engine() { return *engine_; }
  /// Must stay 0: memory that differed from the store at passivation.
  double audit_mismatches();

 private:
  class Sink final : public realtime::LogSink {
   public:
    void publish(std::vector<realtime::LogEvent> events) override;
    void resync() override {}
    std::uint64_t last_position = 0;
  };

  std::unique_ptr<obs::Metrics> metrics_ = obs::Metrics::create();
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<storage::Reader> reader_;
  Sink sink_;
  std::unique_ptr<SimReaders> readers_;
  std::unique_ptr<actors::CommitLane> lane_;
  std::unique_ptr<actors::ActorMetrics> actor_metrics_;
  std::unique_ptr<actors::Engine> engine_;
  std::unique_ptr<actors::ActorGateway> gateway_;
};

/// Another process on the same disk, which draws a fence and writes one commit or message: whoever
/// has the conversation in memory loses its next write (engine.md, "Fences").
class Intruder {
 public:
  explicit Intruder(storage::MemoryDisk& disk);
  void write(std::size_t convo, Timestamp now);
  /// True while it reads and writes.
  bool busy() const { return busy_; }
  std::size_t written() const { return written_; }

 private:
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<storage::Reader> reader_;
  bool busy_ = false;
  std::size_t written_ = 0;
};

}  // namespace catbird::sim
