// SPDX-License-Identifier: MIT
#include "unit/actors/world.hpp"

#include "actors/write_set.hpp"
#include "obs/log.hpp"

namespace catbird::actors {

World::World() : stores(storage::open_memory(disk)) {
  obs::configure_log("off");
  store = std::make_unique<ScriptedStore>(stores->writer());
  reader = std::move(*stores->open_reader());
  readers = std::make_unique<ManualReaders>(reads, *reader);
  lane = std::make_unique<CommitLane>(lane_thread, *store, sink, *metrics);
  actor_metrics = std::make_unique<ActorMetrics>(*metrics);
  engine.reset(new Engine{.lane = *lane,
                          .readers = *readers,
                          .clock = clock,
                          .metrics = *actor_metrics,
                          .fence = stores->writer().draw_fence()->value,
                          .idle_timeout = std::chrono::seconds(3600)});
  gateway = std::make_unique<ActorGateway>(std::vector<Executor*>{&worker}, *engine);
}

Answer World::ask(core::ConvoId convo, core::Command command, std::chrono::milliseconds patience) {
  auto answer = std::make_shared<Heard<core::Outcome>>();
  gateway->ask(std::move(convo), std::move(command), time.now() + patience,
               [this, answer](Result<core::Outcome> outcome) {
                 answer->hear(std::move(outcome));
                 answered.push_back(answer);
               });
  return answer;
}

Seen World::look(core::ConvoId convo, const core::Did& user) {
  auto seen = std::make_shared<Heard<core::Access>>();
  gateway->access(std::move(convo), user, time.now() + std::chrono::hours(1),
                  [seen](Result<core::Access> access) { seen->hear(std::move(access)); });
  return seen;
}

core::Outcome World::done(core::Command command) {
  auto answer = ask(std::move(command));
  settle();
  if (!answer->ok()) {
    ADD_FAILURE() << "refused with code " << static_cast<int>(answer->code());
    return {};
  }
  return answer->value();
}

void World::foreign_write(const core::Command& command) {
  const auto loaded = reader->load(convo_id());
  const auto fence = stores->writer().draw_fence();
  core::Conversation convo(loaded->state);
  auto decision = convo.decide(command, start);
  ASSERT_TRUE(decision);
  const auto set =
      make_write_set(convo_id(), convo, Footing::of(*loaded), *fence, std::move(decision->events));
  const auto result = stores->writer().commit({&set, 1}, {});
  ASSERT_EQ(result.sets[0].status, storage::CommitStatus::committed);
}

core::Snapshot World::stored() { return reader->load(convo_id())->state; }

double World::metric(const std::string& name) {
  const auto page = metrics->page();
  const auto at = page.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::stod(page.substr(at + name.size() + 2));
}

}  // namespace catbird::actors
