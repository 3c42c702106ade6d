// SPDX-License-Identifier: MIT
#include "actors/actor_gateway.hpp"

#include "base/mutant.hpp"

#include <functional>
#include <utility>

namespace catbird::actors {

std::size_t letter_bytes(const core::Command& command) {
  auto of = [](const Blob& blob) { return blob ? blob->size() : std::size_t{0}; };
  auto parts = [&of](const core::GroupParts& group) {
    return (group.commit ? of(group.commit->bytes) : 0) +
           (group.welcome ? of(group.welcome->bytes) : 0) +
           (group.group_info ? of(group.group_info->bytes) : 0);
  };
  constexpr std::size_t envelope_bytes = 512;
  return envelope_bytes + std::visit(
                              [&](const auto& what) -> std::size_t {
                                if constexpr (requires { what.parts; }) return parts(what.parts);
                                if constexpr (requires { what.bytes; }) return of(what.bytes);
                                if constexpr (requires { what.group_info; })
                                  return of(what.group_info.bytes);
                                return 0;
                              },
                              command.what);
}

ActorMetrics::ActorMetrics(obs::Metrics& metrics)
    : registry(metrics),
      spawns(
          metrics.counter("actor_spawns_total", "Actors spawned", "actor_type=conversation_actor")),
      stops_idle(metrics.counter("actor_stops_total", "Actors stopped",
                                 "actor_type=conversation_actor,reason=idle")),
      stops_absent(metrics.counter("actor_stops_total", "Actors stopped",
                                   "actor_type=conversation_actor,reason=absent")),
      stops_memory(metrics.counter("actor_stops_total", "Actors stopped",
                                   "actor_type=conversation_actor,reason=memory")),
      restarts_fenced(metrics.counter("actor_restarts_total", "Actors reloaded",
                                      "actor_type=conversation_actor,reason=fenced")),
      restarts_rejected(metrics.counter("actor_restarts_total", "Actors reloaded",
                                        "actor_type=conversation_actor,reason=rejected")),
      restarts_failed(metrics.counter("actor_restarts_total", "Actors reloaded",
                                      "actor_type=conversation_actor,reason=failed")),
      restarts_unknown(metrics.counter("actor_restarts_total", "Actors reloaded",
                                       "actor_type=conversation_actor,reason=unknown")),
      restarts_load(metrics.counter("actor_restarts_total", "Actors reloaded",
                                    "actor_type=conversation_actor,reason=load")),
      mailbox_depth(metrics.gauge("actor_mailbox_depth", "Letters waiting or unanswered",
                                  "actor_type=conversation_actor")),
      mailbox_full(metrics.counter("actor_mailbox_full_events_total",
                                   "Letters refused because a mailbox was full")),
      drops_deadline(metrics.counter("actor_message_drops_total", "Letters dropped",
                                     "actor_type=conversation_actor,reason=deadline")),
      drops_overload(metrics.counter("actor_message_drops_total", "Letters dropped",
                                     "actor_type=conversation_actor,reason=overload")),
      quarantined(metrics.counter("actor_message_drops_total", "Letters dropped",
                                  "actor_type=conversation_actor,reason=quarantined")),
      audit_mismatches(metrics.counter("actor_audit_mismatches_total",
                                       "Actors whose memory differed from the store; must be 0")),
      epoch_conflicts(
          metrics.counter("epoch_conflicts_total", "Commits and messages refused as stale")),
      epoch_increment_seconds(metrics.histogram("epoch_increment_duration_seconds",
                                                "From the decision on a commit to durable")) {
  constexpr auto names = std::to_array<const char*>(
      {"CreateConvo", "AddMembers", "RemoveMember", "LeaveConvo", "SendMessage", "ExternalCommit",
       "UpdateGroupInfo", "ResetUnread", "ChangeRole", "ChangePolicy", "WarnMember", "AskForHelp",
       "GetEpoch"});
  static_assert(names.size() == std::tuple_size_v<decltype(message_seconds)>);
  for (std::size_t i = 0; i < names.size(); ++i) {
    message_seconds[i] = &metrics.histogram(
        "actor_message_duration_seconds", "From arrival in the mailbox to the reply",
        std::string("actor_type=conversation_actor,message_type=") + names[i]);
  }
}

ActorGateway::ActorGateway(std::vector<Executor*> workers, Engine& engine) : engine_(engine) {
  for (auto* own : workers) {
    workers_.push_back(
        {own, std::make_unique<Registry>(*own, engine, engine.actor_bytes_max / workers.size())});
  }
}

void ActorGateway::deliver(core::ConvoId convo, Letter letter) {
  auto owner = std::hash<std::string>{}(convo.value);
  if (mutant("two_activations")) owner = engine_.letters.load();
  auto& worker = workers_[owner % workers_.size()];
  worker.own->post(
      [&registry = *worker.registry, convo = std::move(convo),
       letter = std::move(letter)]() mutable { registry.deliver(convo, std::move(letter)); });
}

void ActorGateway::ask(core::ConvoId convo, core::Command command, Instant deadline, Reply reply) {
  Letter letter;
  letter.bytes = letter_bytes(command);
  letter.what = CommandLetter{std::move(command), std::move(reply)};
  letter.deadline = deadline;
  deliver(std::move(convo), std::move(letter));
}

void ActorGateway::access(core::ConvoId convo, core::Did user, Instant deadline,
                          AccessReply reply) {
  Letter letter;
  letter.what = AccessLetter{std::move(user), std::move(reply)};
  letter.deadline = deadline;
  deliver(std::move(convo), std::move(letter));
}

void ActorGateway::start() {
  for (auto& worker : workers_) worker.own->post([&r = *worker.registry] { r.start(); });
}

void ActorGateway::sweep() {
  for (auto& worker : workers_) worker.own->post([&r = *worker.registry] { r.sweep(); });
}

}  // namespace catbird::actors
