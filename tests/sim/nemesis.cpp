// SPDX-License-Identifier: MIT
#include "sim/nemesis.hpp"

#include "actors/write_set.hpp"
#include "base/check.hpp"
#include "core/conversation.hpp"

#include <algorithm>
#include <utility>

namespace catbird::sim {

namespace {
constexpr std::uint64_t pause_ms_max = 300;
constexpr std::uint64_t round_ms_min = 10;
constexpr std::uint64_t round_ms_more = 60;
constexpr std::int64_t year_ms = 31'536'000'000;
constexpr std::chrono::seconds sleep_time{65};  // longer than key windows stay
}  // namespace

Intruder::Intruder(Outside& outside, std::unique_ptr<storage::Stores> stores) : outside_(outside) {
  stores_ = std::make_unique<Witness>(
      std::move(stores),
      Witness::Setting{
          .model = outside.model, .fate = nullptr, .before_unsynced = nullptr, .foreign = true});
  auto reader = stores_->open_reader();
  CATBIRD_CHECK(reader.has_value());
  reader_ = std::move(*reader);
}

Op& Intruder::plan(std::size_t convo, std::size_t user, core::Epoch epoch) {
  const auto id = "intruder-" + std::to_string(written_);
  Op op{.id = id, .user = user, .convo = convo, .command = {}, .foreign = true, .stored = {}};
  op.command.caller.user = user_did(user);
  op.command.tag = tag_of(user);
  if (written_ % 2 == 0) {
    op.command.what = core::SendMessage{.id = core::MsgId(id),
                                        .kind = core::Kind::app,
                                        .group_id = group_of(convo),
                                        .epoch = epoch,
                                        .bytes = blob_of(id)};
  } else {
    core::AddMembers plain;
    plain.parts.commit = core::CommitPart{blob_of(id), group_of(convo), epoch};
    op.command.what = std::move(plain);
  }
  return outside_.book.add(std::move(op));
}

void Intruder::write(std::size_t convo) {
  const auto id = convo_name(convo);
  const auto loaded = reader_->load(id);
  CATBIRD_CHECK(loaded.has_value());
  const auto& members = loaded->state.members;
  const auto entries = members.entries();
  const auto member = std::ranges::find_if(entries, &core::Roster::Entry::active);
  if (member == entries.end()) return;
  const auto fence = stores_->writer().draw_fence();
  core::Conversation conversation(loaded->state);
  const auto& op =
      plan(convo, user_of(core::Did(std::string(members.name(*member)))), conversation.epoch());
  auto decision = conversation.decide(op.command, outside_.clock.now());
  CATBIRD_CHECK(decision && fence);
  const auto set = actors::make_write_set(id, conversation, actors::Footing::of(*loaded), *fence,
                                          std::move(decision->events));
  const auto result = stores_->writer().commit({&set, 1}, {});
  CATBIRD_CHECK(result.sets[0].status == storage::CommitStatus::committed);
  ++written_;
  ++outside_.totals[Count::intrusions];
  outside_.sim.trace().note(outside_.sim.now(), convo, "intruder writes " + op.id);
}

Nemesis::Nemesis(Outside& outside, Simulator::Lane& own, Powers powers)
    : outside_(outside), sim_(outside.sim), own_(own), powers_(std::move(powers)) {}

void Nemesis::round() {
  if (stopped_) return;
  const auto& swarm = outside_.swarm;
  if (sim_.chance(swarm[Hazard::crash])) powers_.crash();
  if (sim_.chance(swarm[Hazard::passivate])) powers_.sweep();
  if (sim_.chance(swarm[Hazard::intruder])) {
    powers_.intrude(sim_.pick(outside_.model.convos_count()));
  }
  if (sim_.chance(swarm[Hazard::slow_lane])) {
    powers_.pause(true, std::chrono::milliseconds(sim_.pick(pause_ms_max)));
  }
  if (sim_.chance(swarm[Hazard::slow_reads])) {
    powers_.pause(false, std::chrono::milliseconds(sim_.pick(pause_ms_max)));
  }
  if (sim_.chance(swarm[Hazard::clock])) powers_.jump_ms(sim_.chance(50) ? year_ms : -year_ms);
  if (sim_.chance(swarm[Hazard::leap])) {
    sim_.leap(sleep_time);
    powers_.sweep();  // idle actors drop their key windows
  }
  own_.post_after(std::chrono::milliseconds(round_ms_min + sim_.pick(round_ms_more)),
                  [this] { round(); });
}

}  // namespace catbird::sim
