// SPDX-License-Identifier: MIT
#pragma once

#include "support/conversations.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace catbird::core {

using namespace test;

/// Decides and applies, as the one writer of a conversation does.
inline Result<Outcome> run(Conversation& convo, const Command& command, Timestamp now = start) {
  auto decision = convo.decide(command, now);
  if (!decision) return std::unexpected(decision.error());
  for (const auto& event : decision->events) convo.apply(event);
  return decision->outcome;
}

/// Runs what must be accepted.
inline Outcome accept(Conversation& convo, const Command& command, Timestamp now = start) {
  auto outcome = run(convo, command, now);
  if (!outcome) {
    ADD_FAILURE() << "refused with code " << static_cast<int>(outcome.error().code);
    return {};
  }
  return *outcome;
}

/// The refusal of a command, which must change nothing; internal if it was accepted.
inline Error refusal(const Conversation& convo, const Command& command, Timestamp now = start) {
  auto decision = convo.decide(command, now);
  if (!decision) return decision.error();
  ADD_FAILURE() << "accepted";
  return Error{};
}

/// alice, admin, and the others.
inline Conversation with_members(std::vector<Did> others, std::uint64_t epoch = 0) {
  Conversation convo;
  accept(convo, create(std::move(others), alice, epoch));
  return convo;
}

inline std::optional<Member> member(const Conversation& convo, const Did& user) {
  for (const auto& one : convo.state().members.all()) {
    if (one.user == user) return one;
  }
  return std::nullopt;
}
inline bool active(const Conversation& convo, const Did& user) {
  const auto one = member(convo, user);
  return one && one->active();
}

template <class E>
std::vector<E> events_of(const Result<Decision>& decision) {
  std::vector<E> found;
  if (!decision) {
    ADD_FAILURE() << "refused with code " << static_cast<int>(decision.error().code);
    return found;
  }
  for (const auto& event : decision->events) {
    if (const auto* one = std::get_if<E>(&event)) found.push_back(*one);
  }
  return found;
}

}  // namespace catbird::core
