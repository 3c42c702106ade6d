// SPDX-License-Identifier: MIT
#include "realtime/hub.hpp"

#include <algorithm>
#include <utility>

namespace catbird::realtime {

namespace {

void erase_one(std::unordered_map<std::string, std::vector<Subscription*>>& index,
               const std::string& key, Subscription* subscription) {
  auto it = index.find(key);
  if (it == index.end()) return;
  std::erase(it->second, subscription);
  if (it->second.empty()) index.erase(it);
}

std::size_t bytes_of(const LogEvent& event) {
  constexpr std::size_t overhead = 256;
  if (const auto* row = std::get_if<LiveRow>(&event)) return overhead + row->bytes->size();
  if (const auto* whisper = std::get_if<Whisper>(&event)) return overhead + whisper->bytes->size();
  return overhead;
}

}  // namespace

Subscription::Subscription(Hub& hub, core::Did user, std::optional<core::ConvoId> only,
                           core::DeviceId device)
    : hub_(hub), user_(std::move(user)), only_(std::move(only)), device_(std::move(device)) {}

Subscription::~Subscription() { hub_.drop(*this); }

bool Subscription::overflowed() const {
  const std::lock_guard lock(hub_.mutex_);
  return news_.overflowed;
}

Delivery Subscription::take() {
  const std::lock_guard lock(hub_.mutex_);
  bytes_ = 0;
  return std::exchange(news_, {});
}

void Subscription::wait(std::move_only_function<void()> ready) {
  {
    const std::lock_guard lock(hub_.mutex_);
    if (!has_news()) {
      ready_ = std::move(ready);
      return;
    }
  }
  ready();
}

Hub::Hub(HubLimits limits, obs::Metrics& metrics)
    : limits_(limits),
      active_(metrics.gauge("active_sse_connections", "Open event streams")),
      overflows_(metrics.counter("realtime_overflows_total",
                                 "Event streams whose reader did not keep up")),
      delivered_(metrics.counter("fanout_operations_total", "Deliveries to subscribers",
                                 "provider=sse,status=success")),
      refused_(metrics.counter("fanout_operations_total", "Deliveries to subscribers",
                               "provider=sse,status=overflow")) {}

std::unique_ptr<Subscription> Hub::subscribe(const core::Did& user,
                                             const std::vector<core::ConvoId>& convos,
                                             std::optional<core::ConvoId> only,
                                             core::DeviceId device) {
  std::unique_ptr<Subscription> subscription(
      new Subscription(*this, user, std::move(only), std::move(device)));
  const std::lock_guard lock(mutex_);
  auto& mine = by_user_[user.value];
  if (mine.size() >= limits_.subscriptions_per_user_max) {
    return nullptr;  // drop() finds nothing to undo
  }
  mine.push_back(subscription.get());
  for (const auto& convo : convos) add_locked(*subscription, convo, core::Seq(0));
  active_.add(1);
  return subscription;
}

void Hub::follow(Subscription& subscription, const std::vector<Membership>& memberships) {
  const std::lock_guard lock(mutex_);
  for (const auto& one : memberships) add_locked(subscription, one.convo, one.after);
}

void Hub::add_locked(Subscription& subscription, const core::ConvoId& convo, core::Seq after) {
  auto [it, fresh] = subscription.convos_.try_emplace(convo.value, after);
  if (fresh) by_convo_[convo.value].push_back(&subscription);
  it->second = std::max(it->second, after);
}

void Hub::drop(Subscription& subscription) {
  const std::lock_guard lock(mutex_);
  auto it = by_user_.find(subscription.user_.value);
  if (it == by_user_.end() || std::ranges::find(it->second, &subscription) == it->second.end())
    return;
  erase_one(by_user_, subscription.user_.value, &subscription);
  for (const auto& [convo, after] : subscription.convos_) {
    erase_one(by_convo_, convo, &subscription);
  }
  active_.add(-1);
}

void Hub::push_locked(Subscription& subscription, const LogEvent& event,
                      std::vector<std::move_only_function<void()>>& wake) {
  auto& news = subscription.news_;
  if (!news.overflowed) {
    const auto size = bytes_of(event);
    if (news.events.size() >= limits_.queue_events_max ||
        (subscription.bytes_ + size > limits_.queue_bytes_max && !news.events.empty())) {
      news.overflowed = true;
      news.events.clear();
      subscription.bytes_ = 0;
      overflows_.add();
      refused_.add();
    } else {
      news.events.push_back(event);
      subscription.bytes_ += size;
      delivered_.add();
    }
  }
  if (subscription.ready_) wake.push_back(std::exchange(subscription.ready_, nullptr));
}

void Hub::publish(std::vector<LogEvent> events) {
  rows_published_ += static_cast<std::uint64_t>(std::ranges::count_if(
      events, [](const auto& event) { return std::holds_alternative<LiveRow>(event); }));
  std::vector<std::move_only_function<void()>> wake;
  {
    const std::lock_guard lock(mutex_);
    if (by_user_.empty()) return;
    for (const auto& event : events) {
      if (const auto* change = std::get_if<RosterChange>(&event)) {
        publish_change_locked(*change, wake);
        continue;
      }
      auto it = by_convo_.find(convo_of(event).value);
      if (it == by_convo_.end()) continue;
      for (auto* subscription : it->second) push_locked(*subscription, event, wake);
    }
  }
  for (auto& ready : wake) ready();
}

void Hub::publish_change_locked(const RosterChange& change,
                                std::vector<std::move_only_function<void()>>& wake) {
  auto it = by_user_.find(change.user.value);
  if (it == by_user_.end()) return;
  for (auto* subscription : it->second) {
    const auto followed = subscription->convos_.find(change.convo.value);
    const bool follows = followed != subscription->convos_.end();
    // The end of a membership before the one that is followed: the user has come back since.
    if (follows && !change.joined && change.seq < followed->second) continue;
    if (change.joined && !subscription->only_) {
      add_locked(*subscription, change.convo, change.seq);
    }
    if (follows || !subscription->only_) push_locked(*subscription, change, wake);
    if (!change.joined && follows) {
      // Nothing later leaves the server, whatever the reader still has queued (A2).
      subscription->convos_.erase(change.convo.value);
      erase_one(by_convo_, change.convo.value, subscription);
    }
  }
}

void Hub::end_device(const core::Did& user, const core::DeviceId& device) {
  tell_those(user, [&](Subscription& subscription) {
    if (subscription.device_ != device) return false;
    subscription.news_.ended = "device-removed";
    return true;
  });
}

void Hub::end_user(const core::Did& user, std::string_view why) {
  tell_those(user, [&](Subscription& subscription) {
    subscription.news_.ended = why;
    return true;
  });
}

namespace {
bool is_for(const core::DeviceId& listening, const core::DeviceId& device) {
  return listening == device || listening.value.empty() || device.value.empty();
}
}  // namespace

bool Hub::is_listening(const core::Caller& device) const {
  const std::lock_guard lock(mutex_);
  const auto it = by_user_.find(device.user.value);
  return it != by_user_.end() && std::ranges::any_of(it->second, [&](const auto* subscription) {
           return is_for(subscription->device_, device.device);
         });
}

void Hub::tell_low_stock(const core::Caller& device) {
  tell_those(device.user, [&](Subscription& subscription) {
    if (!is_for(subscription.device_, device.device)) return false;
    subscription.news_.low_stock = true;
    return true;
  });
}

std::vector<core::Caller> Hub::devices() const {
  const std::lock_guard lock(mutex_);
  std::vector<core::Caller> listening;
  for (const auto& [user, subscriptions] : by_user_) {
    const auto first = static_cast<std::ptrdiff_t>(listening.size());
    for (const auto* subscription : subscriptions) {
      core::Caller one{subscription->user_, subscription->device_};
      if (one.device.value.empty()) continue;
      if (std::find(listening.begin() + first, listening.end(), one) != listening.end()) continue;
      listening.push_back(std::move(one));
    }
  }
  return listening;
}

void Hub::check_devices(const std::vector<std::pair<core::Caller, bool>>& registered) {
  std::vector<core::Caller> gone;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [device, known] : registered) {
      const auto it = by_user_.find(device.user.value);
      if (it == by_user_.end()) continue;
      bool lost = false;
      for (auto* subscription : it->second) {
        if (subscription->device_ != device.device) continue;
        lost = lost || (subscription->registered_ && !known);
        subscription->registered_ = known;
      }
      if (lost) gone.push_back(device);
    }
  }
  for (const auto& device : gone) end_device(device.user, device.device);
}

void Hub::tell_those(const core::Did& user, const std::function<bool(Subscription&)>& tell) {
  std::vector<std::move_only_function<void()>> wake;
  {
    const std::lock_guard lock(mutex_);
    const auto it = by_user_.find(user.value);
    if (it == by_user_.end()) return;
    for (auto* subscription : it->second) {
      if (!tell(*subscription)) continue;
      if (subscription->ready_) wake.push_back(std::exchange(subscription->ready_, nullptr));
    }
  }
  for (auto& ready : wake) ready();
}

void Hub::resync() {
  std::vector<std::move_only_function<void()>> wake;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [user, subscriptions] : by_user_) {
      for (auto* subscription : subscriptions) {
        subscription->news_.resync = true;
        if (subscription->ready_) wake.push_back(std::exchange(subscription->ready_, nullptr));
      }
    }
  }
  for (auto& ready : wake) ready();
}

Hub::Backlog Hub::backlog() const {
  const std::lock_guard lock(mutex_);
  Backlog sum;
  for (const auto& [user, subscriptions] : by_user_) {
    for (const auto* subscription : subscriptions) {
      sum.events += subscription->news_.events.size();
      sum.bytes += subscription->bytes_;
    }
  }
  return sum;
}

std::size_t Hub::subscriptions() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& [user, subscriptions] : by_user_) count += subscriptions.size();
  return count;
}

}  // namespace catbird::realtime
