// SPDX-License-Identifier: MIT
#include "sim/node.hpp"

#include "base/check.hpp"
#include "core/limits.hpp"

namespace catbird::sim {

namespace {

std::unique_ptr<storage::Reader> reader_of(storage::Stores& stores) {
  auto reader = stores.open_reader();
  CATBIRD_CHECK(reader.has_value());
  return std::move(*reader);
}

realtime::HubLimits hub_limits(const Swarm& swarm) {
  realtime::HubLimits limits;
  if (swarm[Hazard::slow_stream] != 0) limits.queue_events_max = 2;
  return limits;
}

}  // namespace

/// The stream asks nothing of it.
struct SimNode::NoAuth final : auth::ServiceAuth {
  void verify(std::string, std::string,
              std::move_only_function<void(Result<auth::Identity>)> done) override {
    done(fail(Errc::unauthenticated));
  }
};

// Nothing leaves before it is durable, and positions go up.
void SimNode::Sink::publish(std::vector<realtime::LogEvent> events) {
  for (const auto& event : events) {
    const auto* row = std::get_if<realtime::LiveRow>(&event);
    if (row == nullptr) continue;
    const auto number = convo_of(row->convo);
    const auto place = model_.positions().find(row->position);
    if (place == model_.positions().end() || place->second.convo != number ||
        place->second.index + 1 != row->seq.value) {
      model_.violate("L5: an event was published that is not durable", number);
    }
    if (row->position <= last_position_) {
      model_.violate("L2: published out of order", number);
    }
    last_position_ = row->position;
  }
  hub_.publish(std::move(events));
}

SimNode::SimNode(std::unique_ptr<storage::Stores> stores, const Setting& setting)
    : setting_(setting),
      stores_(std::move(stores)),
      reader_(reader_of(*stores_)),
      hub_(hub_limits(setting.swarm), metrics_),
      sink_(hub_, setting.model),
      readers_(*setting.lanes.reads, *reader_),
      lane_(*setting.lanes.lane, stores_->writer(), sink_, metrics_),
      auth_(std::make_unique<NoAuth>()) {
  auto fence = stores_->writer().draw_fence();
  CATBIRD_CHECK(fence.has_value());
  engine_.reset(new actors::Engine{.lane = lane_,
                                   .readers = readers_,
                                   .clock = setting_.clock,
                                   .metrics = actor_metrics_,
                                   .fence = fence->value});
  if (setting_.swarm[Hazard::passivate] != 0) engine_->idle_timeout = std::chrono::seconds(0);
  if (setting_.swarm[Hazard::tiny_mailbox] != 0) engine_->mailbox_letters_max = 2;
  if (setting_.swarm[Hazard::short_window] != 0) engine_->key_window_max = 3;
  make_gateway();
  const auto* lanes = &setting_.lanes;
  services_.reset(new xrpc::Services{.gateway = *gateway_,
                                     .lane = lane_,
                                     .readers = readers_,
                                     .timers = *lanes->workers[0],
                                     .workers = {lanes->workers[0], lanes->workers[1]},
                                     .hub = hub_,
                                     .auth = *auth_,
                                     .clock = setting_.clock,
                                     .tags = tags_,
                                     .seal = seal_,
                                     .limiter = limiter_,
                                     .metrics = metrics_,
                                     .settings = {}});
  services_->settings.incarnation = stores_->incarnation();
}

SimNode::~SimNode() = default;

// The one place that knows ENABLE_ACTOR_SYSTEM.
void SimNode::make_gateway() {
  if (setting_.mode == Mode::direct) {
    gateway_ = std::make_unique<actors::DirectGateway>(actors::DirectGateway::Parts{
        .workers = {setting_.lanes.workers[0], setting_.lanes.workers[1]},
        .lane = lane_,
        .readers = readers_,
        .clock = setting_.clock,
        .metrics = actor_metrics_});
    return;
  }
  auto actors = std::make_unique<actors::ActorGateway>(
      std::vector<actors::Executor*>{setting_.lanes.workers[0], setting_.lanes.workers[1]},
      *engine_);
  actors_ = actors.get();
  gateway_ = std::move(actors);
}

void SimNode::sweep() {
  if (actors_ != nullptr) actors_->sweep();
}

// As streamConvoEvents does: subscribe first, then read who may see what.
void SimNode::open_stream(xrpc::FeedScope scope, std::optional<xrpc::StreamCursor> cursor,
                          Opened opened) {
  if (scope.only) return open_one(std::move(scope), std::move(cursor), std::move(opened));
  auto live = hub_.subscribe(scope.user, {}, std::nullopt);
  if (!live) {
    opened(nullptr);
    return;
  }
  readers_.run([this, scope = std::move(scope), live = std::move(live), cursor = std::move(cursor),
                opened = std::move(opened)](storage::Reader& reader) mutable {
    auto windows = reader.windows(scope.user);
    if (!windows) {
      opened(nullptr);
      return;
    }
    opened(
        std::make_shared<xrpc::ConvoFeed>(*services_, std::move(scope), std::move(live),
                                          xrpc::FeedStart{std::move(cursor), std::move(*windows)}));
  });
}

void SimNode::open_one(xrpc::FeedScope scope, std::optional<xrpc::StreamCursor> cursor,
                       Opened opened) {
  auto live = hub_.subscribe(scope.user, {*scope.only}, scope.only);
  if (!live) {
    opened(nullptr);
    return;
  }
  constexpr std::chrono::seconds patience{8};
  const auto convo = *scope.only;
  const auto user = scope.user;
  gateway_->access(
      convo, user, connections().now() + patience,
      [this, scope = std::move(scope), live = std::move(live), cursor = std::move(cursor),
       opened = std::move(opened)](Result<core::Access> seen) mutable {
        if (!seen || !seen->active) return opened(nullptr);
        xrpc::FeedStart start{std::move(cursor), {{*scope.only, seen->after}}};
        opened(std::make_shared<xrpc::ConvoFeed>(*services_, std::move(scope), std::move(live),
                                                 std::move(start)));
      });
}

}  // namespace catbird::sim
