// SPDX-License-Identifier: MIT
#pragma once

#include "obs/metrics.hpp"
#include "realtime/log_sink.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace catbird::realtime {

struct HubLimits {
  std::size_t queue_events_max = 5000;            // SSE_BUFFER_SIZE
  std::size_t queue_bytes_max = 8 * 1024 * 1024;  // per subscription
  std::size_t subscriptions_per_user_max = 20;
};

/// What a subscription has to say when asked.
struct Delivery {
  std::vector<LogEvent> events;  // in commit order
  bool overflowed = false;       // events were lost since the last take(): read the store
  bool low_stock = false;        // few key packages are left; however often it was said
  bool resync = false;           // rows may exist that were never published: read the store
  std::string_view ended{};      // a literal that says why nothing further is for this listener
};

/// A user's membership: rows of `convo` after this number are readable.
struct Membership {
  core::ConvoId convo;
  core::Seq after;
};

class Hub;

/// One listener. take() and wait() are for its owner only; its callback runs on the lane's thread.
class Subscription {
 public:
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  Delivery take();
  /// Whether the next take() will say so.
  bool overflowed() const;
  /// Calls `ready` once, as soon as take() has something: at once if it already has.
  void wait(std::move_only_function<void()> ready);

 private:
  friend class Hub;
  Subscription(Hub& hub, core::Did user, std::optional<core::ConvoId> only, core::DeviceId device);
  bool has_news() const {
    return !news_.events.empty() || news_.overflowed || news_.low_stock || news_.resync ||
           !news_.ended.empty();
  }

  Hub& hub_;
  const core::Did user_;
  const std::optional<core::ConvoId> only_;
  const core::DeviceId device_;  // empty: not said
  bool registered_ = false;      // the device, when the store was last asked
  // By conversation the `after` of the membership, as far as it is known. Guarded by the hub's
  // mutex, as is all below.
  std::unordered_map<std::string, core::Seq> convos_;
  Delivery news_;
  std::size_t bytes_ = 0;
  std::move_only_function<void()> ready_;
};

/// Who is listening. publish() appends to bounded queues in commit order; a subscription that does
/// not keep up is told, never silently skipped. Outlives its subscriptions.
class Hub final : public LogSink {
 public:
  Hub(HubLimits limits, obs::Metrics& metrics);

  /// Rows of `convos` (all of them the user may read now); with `only` set the set never grows,
  /// else conversations the user joins later come in by themselves. Nothing if the user has too
  /// many subscriptions. Subscribe first, then read the store: what is durable before is there,
  /// what comes after arrives here.
  std::unique_ptr<Subscription> subscribe(const core::Did& user,
                                          const std::vector<core::ConvoId>& convos,
                                          std::optional<core::ConvoId> only,
                                          core::DeviceId device = {});
  /// What was read after subscribing. Word of an earlier membership's end may still be under way;
  /// it does not end this one.
  void follow(Subscription& subscription, const std::vector<Membership>& memberships);

  /// Ends what this device of the user listens to here. A server beside this one learns of it by
  /// check_devices.
  void end_device(const core::Did& user, const core::DeviceId& device);
  /// The same for all that the user listens to. `why`: a literal.
  void end_user(const core::Did& user, std::string_view why);

  /// Whether this device of the user listens here, or one that did not say which it is.
  bool is_listening(const core::Caller& device) const;
  /// They hear that few of the device's key packages are left.
  void tell_low_stock(const core::Caller& device);

  /// Every device that listens here, once.
  std::vector<core::Caller> devices() const;
  /// Of each of them whether the store knows it now. Ends what those listen to that it knew the
  /// last time and knows no more; one that never registered may listen.
  void check_devices(const std::vector<std::pair<core::Caller, bool>>& registered);

  void publish(std::vector<LogEvent> events) override;
  void resync() override;
  std::size_t subscriptions() const;
  /// Numbered rows that this process has published since it started.
  std::uint64_t rows_published() const { return rows_published_.load(); }
  /// What waits in all queues, for the metrics page.
  struct Backlog {
    std::size_t events = 0;
    std::size_t bytes = 0;
  };
  Backlog backlog() const;

 private:
  friend class Subscription;

  void drop(Subscription& subscription);
  void add_locked(Subscription& subscription, const core::ConvoId& convo, core::Seq after);
  /// Wakes those of the user's subscriptions that `tell` has given news: it says so.
  void tell_those(const core::Did& user, const std::function<bool(Subscription&)>& tell);
  void publish_change_locked(const RosterChange& change,
                             std::vector<std::move_only_function<void()>>& wake);
  void push_locked(Subscription& subscription, const LogEvent& event,
                   std::vector<std::move_only_function<void()>>& wake);

  const HubLimits limits_;
  obs::Gauge& active_;
  obs::Counter& overflows_;
  obs::Counter& delivered_;
  obs::Counter& refused_;
  std::atomic<std::uint64_t> rows_published_{0};
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::vector<Subscription*>> by_convo_;
  std::unordered_map<std::string, std::vector<Subscription*>> by_user_;
};

}  // namespace catbird::realtime
