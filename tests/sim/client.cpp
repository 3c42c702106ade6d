// SPDX-License-Identifier: MIT
#include "sim/client.hpp"

namespace catbird::sim {

Client::Client(Outside& outside, Simulator::Lane& own, Identity identity, std::size_t operations)
    : outside_(outside),
      sim_(outside.sim),
      own_(own),
      identity_(std::move(identity)),
      caller_(outside, own),
      left_(operations),
      views_(outside.model.convos_count()) {}

void Client::start() {
  own_.post([this] { next(); });
}

std::string Client::describe() const {
  return "client " + std::to_string(identity_.number) + " of user " +
         std::to_string(identity_.user) + ", " + std::to_string(left_) + " left," +
         caller_.describe();
}

void Client::next() {
  if (left_ == 0 || busy_) return;
  --left_;
  busy_ = true;
  rebuilds_ = 0;
  ++outside_.totals[Count::operations];
  if (!std::exchange(started_, true)) {
    // Someone must create each conversation; sometimes two try.
    const auto convo = identity_.number % views_.size();
    if (identity_.number < views_.size() || sim_.chance(20)) return create(convo);
    return publish();
  }
  const auto work = choose();
  const auto convo = sim_.pick(views_.size());
  // Who was never let in mostly waits for it; sometimes it tries all the same.
  if (!views_[convo].active && work != Work::publish && sim_.chance(70)) {
    return begin(sim_.chance(30) ? Work::publish : Work::list, convo);
  }
  begin(work, convo);
}

Work Client::choose() const {
  std::uint64_t sum = 0;
  for (const auto weight : outside_.swarm.weight) sum += weight;
  auto dice = sim_.pick(sum);
  std::size_t work = 0;
  while (dice >= outside_.swarm.weight[work]) dice -= outside_.swarm.weight[work++];
  return static_cast<Work>(work);
}

void Client::begin(Work work, std::size_t convo) {
  switch (work) {
    case Work::send:
      return send(convo, 1);
    case Work::burst:
      return send(convo, 2 + sim_.pick(outside_.swarm.burst_max));
    case Work::add:
      return add(convo);
    case Work::commit:
    case Work::remove:
    case Work::leave:
    case Work::external:
    case Work::group_info:
    case Work::mark:
    case Work::role:
    case Work::policy:
    case Work::warn:
    case Work::help:
      return change(work, convo);
    case Work::publish:
      return publish();
    default:
      return read(work, convo);
  }
}

void Client::finish() {
  busy_ = false;
  own_.post_after(std::chrono::milliseconds(sim_.pick(outside_.swarm.think_ms)),
                  [this] { next(); });
}

void Client::close() {
  busy_ = true;
  list([this] {
    open_ = 1;
    for (std::size_t convo = 0; convo < views_.size(); ++convo) {
      if (!views_[convo].active) continue;
      ++open_;
      page(convo, SIZE_MAX, [this, convo] {
        auto command = blank();
        const auto id = new_name();
        command.what = core::SendMessage{.id = core::MsgId(id),
                                         .kind = core::Kind::app,
                                         .group_id = group_of(convo),
                                         .epoch = core::Epoch(views_[convo].epoch),
                                         .bytes = blob_of(id)};
        auto& op = new_op(convo, std::move(command));
        auto asked = request(Request::What::command, convo);
        asked.command = op.command;
        caller_.call(std::move(asked), &op, [this](const Answer&) {
          if (--open_ == 0) busy_ = false;
        });
      });
    }
    if (--open_ == 0) busy_ = false;
  });
}

}  // namespace catbird::sim
