// SPDX-License-Identifier: MIT
#include "actors/registry.hpp"

#include "actors/limits.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace catbird::actors {

namespace {
constexpr std::string_view log_target = "catbird_server::actors::registry";
}

Registry::Registry(Executor& own, Engine& engine, std::size_t actor_bytes_max)
    : own_(own), engine_(engine), actor_bytes_max_(actor_bytes_max) {}

void Registry::deliver(const core::ConvoId& convo, Letter letter) {
  auto& slot = get_or_spawn(convo);
  used_.splice(used_.end(), used_, slot.use);
  slot.actor->deliver(std::move(letter));
}

Registry::Slot& Registry::get_or_spawn(const core::ConvoId& convo) {
  auto [it, fresh] = actors_.try_emplace(convo);
  if (!fresh) return it->second;
  auto& slot = it->second;
  slot.use = used_.insert(used_.end(), &it->first);
  slot.actor = std::make_unique<ConversationActor>(it->first, own_, engine_, *this);
  engine_.metrics.spawns.add();
  ++engine_.active_actors;
  if (obs::enabled(obs::Level::debug, log_target)) {
    obs::log(obs::Level::debug, log_target,
             "Spawning new actor for conversation " + obs::log_id(convo.value));
  }
  return slot;
}

void Registry::changed(const core::ConvoId& id) {
  own_.post([this, id] { look_at(id); });
}

void Registry::look_at(const core::ConvoId& id) {
  auto it = actors_.find(id);
  if (it == actors_.end() || it->second.leaving || !it->second.actor->absent()) return;
  remove(id, engine_.metrics.stops_absent);
}

void Registry::remove(const core::ConvoId& id, obs::Counter& reason) {
  auto it = actors_.find(id);
  used_.erase(it->second.use);
  actors_.erase(it);
  ++removed_;
  reason.add();
  --engine_.active_actors;
  if (obs::enabled(obs::Level::debug, log_target)) {
    obs::log(obs::Level::debug, log_target,
             "Removed actor for conversation " + obs::log_id(id.value) +
                 ". Remaining actors: " + std::to_string(engine_.active_actors.load()));
  }
}

void Registry::passivate(const core::ConvoId& id, obs::Counter& reason) {
  auto& slot = actors_.at(id);
  if (slot.leaving || !slot.actor->settled()) return;
  slot.leaving = true;
  slot.actor->audit([this, id, &reason](bool leave) {
    // Posted: the audit may have answered from inside the actor.
    own_.post([this, id, &reason, leave] {
      auto it = actors_.find(id);
      if (it == actors_.end()) return;
      it->second.leaving = false;
      if (leave && it->second.actor->settled()) remove(id, reason);
    });
  });
}

void Registry::sweep() {
  const auto now = own_.now();
  // What the last pass let go is free by now, and the allocator would keep it for ever.
  if (removed_ >= actors_per_trim && engine_.give_memory_back) {
    removed_ = 0;
    engine_.readers.run([give_back = engine_.give_memory_back](storage::Reader&) { give_back(); });
  }
  std::vector<core::ConvoId> idle;
  std::size_t bytes = 0;
  for (const auto* id : used_) {
    auto& actor = *actors_.at(*id).actor;
    const auto unused = now - actor.last_used();
    if (unused >= engine_.idle_timeout) {
      idle.push_back(*id);
      continue;
    }
    if (unused >= key_window_idle) actor.drop_keys();
    bytes += actor.bytes();
  }
  for (const auto& id : idle) passivate(id, engine_.metrics.stops_idle);

  // Under the memory cap the longest idle go first.
  std::vector<core::ConvoId> extra;
  for (auto it = used_.begin(); it != used_.end() && bytes > actor_bytes_max_; ++it) {
    const auto& actor = *actors_.at(**it).actor;
    if (!actor.settled()) continue;
    bytes -= std::min(bytes, actor.bytes());
    extra.push_back(**it);
  }
  for (const auto& id : extra) passivate(id, engine_.metrics.stops_memory);
}

void Registry::start() { schedule_sweep(); }

void Registry::schedule_sweep() {
  const auto quarter =
      std::chrono::duration_cast<std::chrono::milliseconds>(engine_.idle_timeout) / 4;
  const std::chrono::milliseconds most = sweep_interval_max;
  own_.post_after(std::clamp(quarter, std::chrono::milliseconds(100), most), [this] {
    sweep();
    schedule_sweep();
  });
}

}  // namespace catbird::actors
