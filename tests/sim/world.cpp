// SPDX-License-Identifier: MIT
#include "sim/world.hpp"

#include "base/check.hpp"
#include "core/conversation.hpp"
#include "sim/clients.hpp"

#include <string>

namespace catbird::sim {

void SimNode::Sink::publish(std::vector<realtime::LogEvent> events) {
  for (const auto& event : events) {
    const auto* row = std::get_if<realtime::LiveRow>(&event);
    if (row == nullptr) continue;
    CATBIRD_CHECK(row->position > last_position);  // what is published is in commit order
    last_position = row->position;
  }
}

SimNode::SimNode(const Lanes& lanes, storage::MemoryDisk& disk, const Clock& clock)
    : stores_(storage::open_memory(disk)) {
  auto reader = stores_->open_reader();
  CATBIRD_CHECK(reader.has_value());
  reader_ = std::move(*reader);
  readers_ = std::make_unique<SimReaders>(*lanes.reads, *reader_);
  lane_ = std::make_unique<actors::CommitLane>(*lanes.lane, stores_->writer(), sink_, *metrics_);
  actor_metrics_ = std::make_unique<actors::ActorMetrics>(*metrics_);
  auto fence = stores_->writer().draw_fence();
  CATBIRD_CHECK(fence.has_value());
  engine_.reset(new actors::Engine{.lane = *lane_,
                                   .readers = *readers_,
                                   .clock = clock,
                                   .metrics = *actor_metrics_,
                                   .fence = fence->value,
                                   .idle_timeout = std::chrono::seconds(0)});
  gateway_ = std::make_unique<actors::ActorGateway>(
      std::vector<actors::Executor*>{lanes.workers[0], lanes.workers[1]}, *engine_);
}

double SimNode::audit_mismatches() {
  const auto page = metrics_->page();
  const std::string name = "\nactor_audit_mismatches_total ";
  const auto at = page.find(name);
  return at == std::string::npos ? 0 : std::stod(page.substr(at + name.size()));
}

Intruder::Intruder(storage::MemoryDisk& disk) : stores_(storage::open_memory(disk)) {
  auto reader = stores_->open_reader();
  CATBIRD_CHECK(reader.has_value());
  reader_ = std::move(*reader);
}

void Intruder::write(std::size_t convo, Timestamp now) {
  busy_ = true;
  const auto id = convo_name(convo);
  const auto loaded = reader_->load(id);
  const auto fence = stores_->writer().draw_fence();
  CATBIRD_CHECK(loaded && fence && loaded->state.exists);
  core::Conversation conversation(id, loaded->state);
  auto decision = conversation.decide(intruder_command(convo, written_, conversation.epoch()), now);
  CATBIRD_CHECK(decision.has_value());
  storage::WriteSet set;
  set.convo = id;
  set.row = loaded->row;
  set.seen = loaded->fence;
  set.fence = *fence;
  set.version = loaded->version;
  set.last_seq = conversation.last_seq();
  set.epoch = conversation.epoch();
  for (const auto& event : decision->events) conversation.apply(event);
  set.new_last_seq = conversation.last_seq();
  set.new_epoch = conversation.epoch();
  set.events = std::move(decision->events);
  const auto result = stores_->writer().commit({&set, 1}, {});
  CATBIRD_CHECK(result.sets[0].status == storage::CommitStatus::committed);
  ++written_;
  busy_ = false;
}

}  // namespace catbird::sim
