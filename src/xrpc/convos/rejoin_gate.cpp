// SPDX-License-Identifier: MIT
#include "xrpc/convos/rejoin_gate.hpp"

#include <algorithm>

namespace catbird::xrpc {

namespace {

constexpr std::size_t convos_max = 20'000;
// More than storm_max come from devices that registered a moment ago.
constexpr std::size_t remembered_max = 64;  // of one conversation

/// What is left of `span` since `at`. Nothing if the clock went back behind it.
std::int64_t left_of(std::chrono::milliseconds span, Timestamp at, Timestamp now) {
  if (now < at) return 0;
  return std::max<std::int64_t>(0, at.value + span.count() - now.value);
}

}  // namespace

RejoinGate::RejoinGate(RejoinLimits limits) : limits_(limits), convos_(convos_max) {}

std::uint32_t RejoinGate::wait_for(const Rejoin& rejoin, Timestamp now) {
  if (limits_.storm_max == 0) return 0;
  const std::scoped_lock lock(mutex_);
  const auto* recent = convos_.find(rejoin.convo.value);
  if (recent == nullptr) return 0;
  std::int64_t wait_ms = 0;
  std::vector<std::int64_t> in_window;
  for (const auto& one : *recent) {
    const bool same_device = one.device == rejoin.device;
    if (same_device && one.commit == rejoin.commit) return 0;
    const auto pause = same_device ? limits_.device_pause : limits_.convo_pause;
    wait_ms = std::max(wait_ms, left_of(pause, one.at, now));
    const auto left = left_of(limits_.storm_window, one.at, now);
    if (left > 0) in_window.push_back(left);
  }
  if (in_window.size() >= limits_.storm_max) {
    // The last of them must have passed out of the window for one more to come in.
    wait_ms = std::max(wait_ms, in_window[in_window.size() - limits_.storm_max]);
  }
  return static_cast<std::uint32_t>((wait_ms + 999) / 1000);
}

void RejoinGate::accepted(const Rejoin& rejoin, Timestamp now) {
  if (limits_.storm_max == 0) return;
  const std::scoped_lock lock(mutex_);
  const auto* known = convos_.find(rejoin.convo.value);
  auto recent = known == nullptr ? Recent() : *known;
  std::erase_if(
      recent, [&](const Accepted& one) { return left_of(limits_.storm_window, one.at, now) == 0; });
  const auto is_same = [&](const Accepted& one) {
    return one.device == rejoin.device && one.commit == rejoin.commit;
  };
  if (std::ranges::any_of(recent, is_same)) return;
  if (recent.size() >= remembered_max) recent.erase(recent.begin());
  recent.push_back({rejoin.device, rejoin.commit, now});
  convos_.put(rejoin.convo.value, std::move(recent));
}

bool RejoinGate::knows(const Rejoin& rejoin, Timestamp since) {
  const std::scoped_lock lock(mutex_);
  const auto* recent = convos_.find(rejoin.convo.value);
  return recent != nullptr && std::ranges::any_of(*recent, [&](const Accepted& one) {
           return one.device == rejoin.device && one.at >= since;
         });
}

}  // namespace catbird::xrpc
