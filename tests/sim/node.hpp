// SPDX-License-Identifier: MIT
#pragma once

#include "actors/actor_gateway.hpp"
#include "actors/direct_gateway.hpp"
#include "realtime/hub.hpp"
#include "sim/api.hpp"
#include "sim/metrics.hpp"
#include "sim/swarm.hpp"
#include "sim/witness.hpp"
#include "xrpc/streams/convo_feed.hpp"

#include <memory>
#include <vector>

namespace catbird::sim {

/// One server process in the simulator: gateway, two workers, lane, readers, hub, on a store that
/// outlives it. The real code but for the executors, the HTTP side and the store's fate.
class SimNode {
 public:
  struct Lanes {
    Simulator::Lane* workers[2];
    Simulator::Lane* lane;
    Simulator::Lane* reads;
    std::vector<Simulator::Lane*> all() const { return {workers[0], workers[1], lane, reads}; }
  };
  struct Setting {
    Lanes lanes;
    const Clock& clock;
    Model& model;
    const Swarm& swarm;
    Mode mode = Mode::actors;
  };

  SimNode(std::unique_ptr<storage::Stores> stores, const Setting& setting);

  /// One endpoint, as xrpc/ does it: the answer comes on a thread of the server.
  void serve(Request request, Done done);
  /// streamConvoEvents: subscribes, then reads the windows. Nothing if the user has too many, may
  /// not, or the store did not answer.
  using Opened = std::move_only_function<void(std::shared_ptr<http::BodySource>)>;
  void open_stream(xrpc::FeedScope scope, std::optional<xrpc::StreamCursor> cursor, Opened opened);
  /// Where the connections of a stream run.
  actors::Executor& connections() { return *setting_.lanes.workers[0]; }

  /// Passivation passes now, in actor mode.
  void sweep();
  actors::Engine& engine() { return *engine_; }
  std::string incarnation() const { return services_->settings.incarnation; }
  const SimMetrics& metrics() const { return metrics_; }

 private:
  // Sees what is published before the hub does (L5).
  class Sink final : public realtime::LogSink {
   public:
    Sink(realtime::Hub& hub, Model& model) : hub_(hub), model_(model) {}
    void publish(std::vector<realtime::LogEvent> events) override;
    void resync() override { hub_.resync(); }

   private:
    realtime::Hub& hub_;
    Model& model_;
    std::uint64_t last_position_ = 0;
  };

  void make_gateway();
  void open_one(xrpc::FeedScope scope, std::optional<xrpc::StreamCursor> cursor, Opened opened);
  void command(Request request, Done done);
  void page(Request request, Done done);
  void page_read(Request request, core::Access seen, Result<std::vector<storage::Row>> rows,
                 Done done);
  void list(Request request, Done done);
  void commits(Request request, Done done);
  void group_info(Request request, Done done);
  void welcome(Request request, Done done);
  void confirm(Request request, Done done);
  void publish(Request request, Done done);
  void reserve(Request request, Done done);
  void access(const Request& request, std::move_only_function<void(Result<core::Access>)> seen);
  template <class T>
  void write(std::function<Result<T>(storage::UserWriter&)> work,
             std::move_only_function<void(Result<T>)> done);
  Answer stamped() const;
  Answer failure(Error error) const;

  const Setting setting_;
  SimMetrics metrics_;
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<storage::Reader> reader_;
  realtime::Hub hub_;
  Sink sink_;
  SimReaders readers_;
  actors::CommitLane lane_;
  actors::ActorMetrics actor_metrics_{metrics_};
  std::unique_ptr<actors::Engine> engine_;
  std::unique_ptr<actors::Gateway> gateway_;
  actors::ActorGateway* actors_ = nullptr;  // gateway_, in actor mode
  struct NoAuth;
  std::unique_ptr<NoAuth> auth_;
  xrpc::SenderTags tags_{Bytes(32, 7)};
  xrpc::TokenSeal seal_{Bytes(32, 7)};
  xrpc::RateLimiter limiter_{{}};
  std::unique_ptr<xrpc::Services> services_;

 public:
  ~SimNode();
};

}  // namespace catbird::sim
