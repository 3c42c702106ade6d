// SPDX-License-Identifier: MIT
#include "auth/did_cache.hpp"

#include "auth/did_document.hpp"
#include "auth/limits.hpp"
#include "base/age.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace catbird::auth {
namespace {

constexpr std::string_view log_target = "catbird_server::auth";
constexpr int status_ok = 200;
constexpr int status_not_found = 404;
constexpr int status_gone = 410;  // a deactivated did:plc

std::int64_t to_ms(std::chrono::seconds seconds) {
  return std::chrono::milliseconds(seconds).count();
}

std::unexpected<Error> unreachable() {
  return fail(Errc::storage_unavailable, "did directory does not answer");
}

Result<std::shared_ptr<const PublicKey>> read_reply(const Result<DidFetchReply>& reply,
                                                    std::string_view did) {
  if (!reply) {
    if (reply.error().code == Errc::overloaded) {
      return fail(Errc::overloaded, "too many did look-ups at the same time");
    }
    return unreachable();
  }
  if (reply->status == status_not_found || reply->status == status_gone) {
    return fail(Errc::unauthenticated, "did document does not exist");
  }
  if (reply->status != status_ok) return unreachable();
  return key_of_document(reply->body, did);
}

}  // namespace

DidCache::DidCache(const AuthOptions& options, const Clock& clock, DidFetch fetch)
    : options_(options),
      clock_(clock),
      fetch_(std::move(fetch)),
      known_(std::max<std::size_t>(options.documents_max, 1)),
      unusable_(negatives_max) {}

void DidCache::find(const std::string& did, Done done) {
  const std::int64_t now = now_ms();
  Step step;
  {
    const std::scoped_lock lock(mutex_);
    step = look(did, done, now);
  }
  proceed(did, std::move(step), std::move(done));
}

void DidCache::find_refreshed(const std::string& did, Done done) {
  const std::int64_t now = now_ms();
  Step step;
  {
    const std::scoped_lock lock(mutex_);
    Known* known = known_.find(did);
    if (known == nullptr) {
      step = look(did, done, now);
    } else if (flights_.contains(did) || may_force(*known, now)) {
      step = join(did, done, now);
    } else {
      step.answer = fail(Errc::unauthenticated, "signature does not match");
    }
  }
  proceed(did, std::move(step), std::move(done));
}

DidCache::Step DidCache::look(const std::string& did, Done& done, std::int64_t now) {
  const std::int64_t fresh_ms = to_ms(options_.document_fresh);
  Step step;
  if (const Known* known = known_.find(did)) {
    const bool is_fresh = is_within(known->asked_ms, now, fresh_ms);
    const bool is_tolerable = is_within(known->failed_ms, now, silent_ms) &&
                              is_within(known->asked_ms, now, to_ms(options_.document_stale_max));
    if (!is_fresh && !is_tolerable) return join(did, done, now);
    step.answer =
        KeyAnswer{known->key, is_fresh ? KeyAnswer::Origin::cache : KeyAnswer::Origin::stale};
    const bool is_young = is_within(known->asked_ms, now, fresh_ms / 5 * 4);
    const bool may_fetch = !is_within(known->failed_ms, now, unreachable_ms);
    if (!is_young && may_fetch && !flights_.contains(did) && flights_.size() < flights_max) {
      flights_.emplace(did, Flight{now, {}});
      step.start = true;
    }
    return step;
  }
  if (const Unusable* unusable = unusable_.find(did)) {
    if (is_within(unusable->asked_ms, now, unusable->life_ms)) {
      step.answer = std::unexpected(unusable->error);
      return step;
    }
  }
  return join(did, done, now);
}

/// Takes `done` if there is no answer in the step it returns.
DidCache::Step DidCache::join(const std::string& did, Done& done, std::int64_t now) {
  Step step;
  auto flight = flights_.find(did);
  if (flight == flights_.end() && flights_.size() >= flights_max) {
    step.answer = fail(Errc::overloaded, "too many did look-ups at the same time");
    return step;
  }
  if (flight == flights_.end()) {
    flight = flights_.emplace(did, Flight{now, {}}).first;
    step.start = true;
  }
  if (flight->second.waiters.size() >= waiters_per_flight_max) {
    step.answer = fail(Errc::overloaded, "too many requests wait for one did document");
    return step;
  }
  flight->second.waiters.push_back(std::move(done));
  return step;
}

void DidCache::proceed(const std::string& did, Step step, Done done) {
  if (step.answer) done(std::move(*step.answer));
  if (step.start) start_flight(did);
}

void DidCache::start_flight(const std::string& did) {
  const auto target = did_target(
      did, {options_.plc_directory_url, options_.development, options_.did_host_allowlist});
  if (!target) {
    // Ours to refuse, and not worth a place among the answers of directories.
    return finish(did, false, DidFetchReply{status_not_found, {}});
  }
  if (target->operator_url) {
    bool passes = false;
    {
      const std::scoped_lock lock(mutex_);
      passes = breaker_lets_pass(now_ms());
    }
    if (!passes) return finish(did, false, unreachable());
  }
  fetch_(target->url, target->operator_url,
         [weak = weak_from_this(), did,
          operator_url = target->operator_url](Result<DidFetchReply> reply) {
           // The process may have stopped meanwhile; then nobody waits any more.
           if (const auto self = weak.lock()) self->finish(did, operator_url, reply);
         });
}

void DidCache::finish(const std::string& did, bool operator_url,
                      const Result<DidFetchReply>& reply) {
  auto outcome = read_reply(reply, did);
  std::vector<Done> waiters;
  Result<KeyAnswer> answer;
  {
    const std::scoped_lock lock(mutex_);
    const auto flight = flights_.find(did);
    if (flight == flights_.end()) return;  // a fetch that answered twice
    const std::int64_t asked_ms = flight->second.asked_ms;
    waiters = std::move(flight->second.waiters);
    flights_.erase(flight);
    const bool answered = outcome || outcome.error().code == Errc::unauthenticated;
    const bool is_ours = !outcome && outcome.error().code == Errc::overloaded;
    if (operator_url && !is_ours) note_directory(answered, now_ms());
    answer = settle(did, asked_ms, std::move(outcome));
  }
  for (auto& waiter : waiters) waiter(answer);
}

Result<KeyAnswer> DidCache::settle(const std::string& did, std::int64_t asked_ms,
                                   Result<std::shared_ptr<const PublicKey>> outcome) {
  Known* known = known_.find(did);
  if (outcome) {
    const std::int64_t forced_ms = known == nullptr ? never_ms : known->forced_ms;
    KeyAnswer answer{*outcome, KeyAnswer::Origin::fetched};
    known_.put(did, Known{std::move(*outcome), asked_ms, forced_ms, never_ms});
    unusable_.erase(did);
    return answer;
  }
  Error error = std::move(outcome.error());
  if (error.code == Errc::unauthenticated) {
    // The directory answered, and the key is no more: nothing stale survives that.
    known_.erase(did);
    unusable_.put(did, Unusable{error, asked_ms, negative_ms});
    return std::unexpected(std::move(error));
  }
  const std::int64_t now = now_ms();
  if (known != nullptr) {
    known->failed_ms = now;
    if (is_within(known->asked_ms, now, to_ms(options_.document_stale_max))) {
      return KeyAnswer{known->key, KeyAnswer::Origin::stale};
    }
  } else if (error.code != Errc::overloaded) {
    unusable_.put(did, Unusable{error, now, unreachable_ms});
  }
  return std::unexpected(std::move(error));
}

bool DidCache::may_force(Known& known, std::int64_t now) {
  if (known.forced_ms != 0 && is_within(known.forced_ms, now, to_ms(options_.forced_refresh_min))) {
    return false;
  }
  const std::int64_t second = now / 1000;
  if (second != forced_second_) {
    forced_second_ = second;
    forced_in_second_ = 0;
  }
  if (forced_in_second_ >= forced_refreshes_per_second_max) return false;
  ++forced_in_second_;
  known.forced_ms = now;
  return true;
}

bool DidCache::breaker_lets_pass(std::int64_t now) {
  if (directory_failures_ < breaker_failures) return true;
  // A probe time further away than its period is from before the clock was set back.
  const bool is_due = now >= next_probe_ms_ || next_probe_ms_ - now > breaker_probe_ms;
  if (is_due) next_probe_ms_ = now + breaker_probe_ms;
  return is_due;
}

void DidCache::note_directory(bool answered, std::int64_t now) {
  if (answered) {
    directory_failures_ = 0;
    return;
  }
  if (directory_failures_ >= breaker_failures) return;
  if (++directory_failures_ < breaker_failures) return;
  next_probe_ms_ = now + breaker_probe_ms;
  obs::log(obs::Level::warn, log_target, "did directory does not answer");
}

}  // namespace catbird::auth
