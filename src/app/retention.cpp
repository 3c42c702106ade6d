// SPDX-License-Identifier: MIT
#include "app/retention.hpp"

#include "core/limits.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <utility>

namespace catbird::app {

namespace {

constexpr std::string_view log_target = "catbird_server::retention";
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
/// After the start, so that a server that is restarted every day still cleans.
constexpr std::chrono::seconds first_delay{60};
/// Between two steps: cleaning never takes more than a small part of the store's time.
constexpr std::chrono::milliseconds step_pause{20};

std::optional<Timestamp> before(std::chrono::days kept, Timestamp now) {
  if (kept.count() == 0) return std::nullopt;
  return Timestamp(now.value - kept.count() * day_ms);
}

}  // namespace

RetentionPass::RetentionPass(const RetentionPolicy& policy, Timestamp now)
    : messages_before_(before(policy.messages, now)),
      requests_before_(before(policy.requests, now)),
      welcomes_before_(now.value - core::welcome_life_ms),
      now_(now) {
  if (!messages_before_) stage_ = requests_before_ ? Stage::requests : Stage::welcomes;
}

std::string RetentionPass::Removed::text() const {
  return std::to_string(messages) + " message bodies, " + std::to_string(requests) +
         " kept answers, " + std::to_string(welcomes) + " Welcomes, " +
         std::to_string(key_packages) + " expired key packages";
}

Result<RetentionPass> RetentionPass::step(storage::Cleaner& cleaner) const {
  RetentionPass next = *this;
  auto take = [&next](const Result<std::uint64_t>& rows, std::uint64_t Removed::* sum,
                      Stage then) -> Result<void> {
    if (!rows) return std::unexpected(rows.error());
    next.removed_.*sum += *rows;
    if (*rows < storage::clean_rows_max) next.stage_ = then;
    return {};
  };
  Result<void> done{};
  switch (stage_) {
    case Stage::messages: {
      auto expired = cleaner.expire_messages(*messages_before_, after_);
      if (!expired) return std::unexpected(expired.error());
      next.removed_.messages += expired->bodies;
      if (expired->next) {
        next.after_ = *expired->next;
      } else {
        next.stage_ = requests_before_ ? Stage::requests : Stage::welcomes;
      }
      break;
    }
    case Stage::requests:
      done = take(cleaner.forget_requests(*requests_before_), &Removed::requests, Stage::welcomes);
      break;
    case Stage::welcomes:
      done = take(cleaner.drop_welcomes(welcomes_before_), &Removed::welcomes, Stage::key_packages);
      break;
    case Stage::key_packages:
      done = take(cleaner.drop_key_packages(now_), &Removed::key_packages, Stage::over);
      break;
    case Stage::over:
      break;
  }
  if (!done) return std::unexpected(done.error());
  return next;
}

Retention::Retention(const RetentionPolicy& policy, Parts parts)
    : policy_(policy),
      parts_(std::move(parts)),
      failed_(parts_.metrics.gauge("retention_failed",
                                   "1 if the last pass of the retention job ended in an error")) {
  if (parts_.own) thread_ = std::make_unique<BlockingThread>();
}

void Retention::start() {
  if (policy_.interval.count() != 0) again(std::min(first_delay, policy_.interval));
}

void Retention::stop() {
  if (thread_) thread_->stop();
}

void Retention::again(std::chrono::milliseconds delay) {
  parts_.timers.post_after(delay, [this] { begin(); });
}

void Retention::begin() {
  pass_.emplace(policy_, parts_.clock.now());
  go();
}

void Retention::go() {
  if (thread_) {
    thread_->post(
        [this] { parts_.timers.post([this, next = pass_->step(*parts_.own)] { went(next); }); });
    return;
  }
  // The lane may run a job twice: each time from the pass as it is.
  auto next = std::make_shared<Result<RetentionPass>>(*pass_);
  parts_.lane.submit(actors::CommitLane::JobEntry{
      .job = {[this, next](storage::UserWriter& users) -> Result<void> {
        *next = pass_->step(*users.cleaner());
        if (!*next) return std::unexpected(next->error());
        return {};
      }},
      .home = &parts_.timers,
      .done = [this, next](const storage::UserResult& result) {
        const bool written = result.status == storage::CommitStatus::committed;
        went(written ? *next : std::unexpected(result.error));
      }});
}

void Retention::went(const Result<RetentionPass>& pass) {
  if (pass && !pass->over()) {
    pass_ = *pass;
    parts_.timers.post_after(step_pause, [this] { go(); });
    return;
  }
  failed_.set(pass ? 0 : 1);
  if (!pass) {
    obs::log(obs::Level::warn, log_target, "the retention job stopped, and will try again",
             {{"reason", pass.error().detail}});
  } else if (pass->removed().any()) {
    obs::log(obs::Level::info, log_target, "retention removed " + pass->removed().text());
  }
  again(policy_.interval);
}

}  // namespace catbird::app
