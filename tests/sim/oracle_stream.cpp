// SPDX-License-Identifier: MIT
#include "sim/oracle.hpp"

namespace catbird::sim {

StreamCheck::StreamCheck(Model& model, Scope scope, std::optional<std::uint64_t> cursor)
    : model_(model),
      user_(scope.user),
      only_(scope.only),
      last_(cursor.value_or(model.last_position())),
      due_from_(cursor.value_or(UINT64_MAX)) {}

void StreamCheck::opened() {
  for (std::size_t convo = 0; convo < model_.convos_count(); ++convo) {
    const auto* member = model_.convo(convo).now().member(user_);
    if (member != nullptr) start_[convo] = {member->active, member->join};
  }
}

void StreamCheck::connected() {
  if (due_from_ == UINT64_MAX) due_from_ = model_.last_position();
}

void StreamCheck::event(const Event& event) {
  const auto place = model_.positions().find(event.position);
  const auto* rows =
      event.convo < model_.convos_count() ? &model_.convo(event.convo).rows : nullptr;
  if (place == model_.positions().end() || rows == nullptr || place->second.convo != event.convo ||
      place->second.index + 1 != event.seq) {
    model_.violate("L5: a stream shows what is not durable", event.convo);
    return;
  }
  const auto& row = (*rows)[place->second.index];
  const char* kind = row.kind == core::Kind::commit     ? "commit"
                     : row.kind == core::Kind::proposal ? "proposal"
                                                        : "app";
  if (row.epoch != event.epoch || event.kind != kind || row.text != event.text ||
      (row.kind != core::Kind::commit && row.id != event.id)) {
    model_.violate("O3: a stream shows row " + std::to_string(event.seq) + " as something else",
                   event.convo);
  }
  if (event.position <= last_) {
    model_.violate("L2: a stream repeats itself or goes back", event.convo);
  }
  if (!readable(event.convo, event.seq) || (only_ && event.convo != *only_)) {
    model_.violate(
        "A2: a stream shows user " + std::to_string(user_) + " row " + std::to_string(event.seq),
        event.convo);
  }
  if (const auto missing = missing_before(event.position)) {
    const auto& lost = model_.positions().at(*missing);
    model_.violate("L2: a stream of user " + std::to_string(user_) + " left out row " +
                       std::to_string(lost.index + 1),
                   lost.convo);
  }
  last_ = std::max(last_, event.position);
}

std::optional<std::uint64_t> StreamCheck::missing_before(std::uint64_t position) const {
  if (due_from_ == UINT64_MAX) return std::nullopt;
  const auto& positions = model_.positions();
  for (auto it = positions.upper_bound(std::max(last_, due_from_));
       it != positions.end() && it->first < position; ++it) {
    if (due(it->second)) return it->first;
  }
  return std::nullopt;
}

// Of the membership that holds now, or ended last and was known when the stream opened: one that
// began and ended between two looks at the store may pass unseen. An earlier one ends for good
// when its user is added again.
bool StreamCheck::due(const Model::Place& place) const {
  if (only_ && place.convo != *only_) return false;
  const auto& convo = model_.convo(place.convo);
  const auto& row = convo.rows[place.index];
  const auto* member = convo.now().member(user_);
  if (member == nullptr || row.foreign || row.seq <= member->join) return false;
  const auto& start = start_[place.convo];
  if (member->active) return start.active || start.join != member->join;
  return row.seq <= member->left && start.active && start.join == member->join;
}

void StreamCheck::removed() {
  const auto* member = only_ ? model_.convo(*only_).now().member(user_) : nullptr;
  // It may have been added again since.
  if (member == nullptr || (member->active && member->join == start_[*only_].join)) {
    model_.violate("A2: a stream ended although its user is a member", only_.value_or(0));
  }
}

bool StreamCheck::readable(std::size_t number, std::uint64_t seq) const {
  const auto& versions = model_.convo(number).versions;
  for (auto v = versions.size(); v > 0; --v) {
    const auto* member = versions[v - 1].member(user_);
    if (member == nullptr) continue;
    const auto until = member->active ? versions[v - 1].last_seq : member->left;
    if (seq > member->join && seq <= until) return true;
  }
  return false;
}

}  // namespace catbird::sim
