// SPDX-License-Identifier: MIT
#include "auth/replay.hpp"

#include "auth/limits.hpp"
#include "base/digest.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace catbird::auth {
namespace {

constexpr std::string_view log_target = "catbird_server::auth";

/// `iss` has no NUL (it is a DID), so the two texts cannot run into each other.
ReplayKey key_of(const TokenUse& token) {
  constexpr std::uint8_t between = 0;
  const auto digest = sha256({view_of(token.iss), ByteView(&between, 1), view_of(token.jti)});
  ReplayKey key{};
  std::memcpy(key.data(), digest.data(), sizeof(key));
  return key;
}

}  // namespace

ReplayGuard::ReplayGuard(const ReplayOptions& options)
    : set_(options.entries_max, options.seed),
      life_seconds_(options.life_seconds),
      blind_before_(options.now),
      latest_now_(options.now) {}

Result<std::unique_ptr<ReplayGuard>> ReplayGuard::open(const ReplayOptions& options) {
  std::unique_ptr<ReplayGuard> guard(new ReplayGuard(options));
  if (options.journal_path.empty()) return guard;
  JournalOptions journal_options{options.journal_path, options.boot, options.now,
                                 options.life_seconds, options.rotate_bytes_min};
  bool remembers_all = true;
  auto loaded = ReplayJournal::open(std::move(journal_options), [&](const ReplayEntry& entry) {
    const auto outcome = guard->set_.insert(entry, options.now);
    remembers_all = remembers_all && outcome != ReplaySet::Outcome::full;
  });
  if (!loaded) return std::unexpected(loaded.error());
  guard->journal_ = std::move(loaded->journal);
  if (remembers_all) guard->blind_before_ = loaded->blind_before;
  if (guard->blind_before_ == options.now) {
    obs::log(obs::Level::warn, log_target,
             "token journal is new or damaged: tokens issued before this start are refused");
  }
  return guard;
}

Result<void> ReplayGuard::use(const TokenUse& token, std::uint32_t now) {
  notice_time(now);
  if (token.issued < blind_before_.load()) {
    return fail(Errc::token_from_before, "token was issued before this server started");
  }
  if (token.expiry > std::numeric_limits<std::uint32_t>::max()) {
    return fail(Errc::unauthenticated, "exp is too far in the future");
  }
  const ReplayEntry entry{key_of(token), static_cast<std::uint32_t>(token.expiry)};
  switch (set_.insert(entry, now)) {
    case ReplaySet::Outcome::fresh:
      break;
    case ReplaySet::Outcome::used:
      return fail(Errc::unauthenticated, "token was used before");
    case ReplaySet::Outcome::full:
      return fail(Errc::overloaded, "too many tokens in use");
    case ReplaySet::Outcome::blurred:
      return fail(Errc::token_from_before, "token was issued before the clock was set back");
  }
  if (!record(entry, now)) {
    return fail(Errc::storage_unavailable, "use of the token cannot be recorded");
  }
  return {};
}

/// A clock that is set back further than a token lives would make every new token look like one
/// whose record was dropped. Nothing from the wrong time can be valid now, so only tokens issued
/// before this moment stay in doubt.
void ReplayGuard::notice_time(std::uint32_t now) {
  std::uint32_t latest = latest_now_.load();
  while (now > latest && !latest_now_.compare_exchange_weak(latest, now)) {
  }
  if (now >= latest || latest - now <= life_seconds_) return;
  const std::scoped_lock lock(journal_mutex_);
  latest = latest_now_.load();
  if (now >= latest || latest - now <= life_seconds_) return;
  blind_before_ = now;
  set_.forget_dropped(now);
  latest_now_ = now;
}

bool ReplayGuard::record(const ReplayEntry& entry, std::uint32_t now) {
  if (!journal_) return true;
  const std::scoped_lock lock(journal_mutex_);
  if (journal_->is_writing()) {
    if (journal_->append(entry, now)) return true;
    obs::log(obs::Level::error, log_target, "token journal cannot be written");
    retry_at_ = now + static_cast<std::uint32_t>(journal_retry_seconds);
    return !journal_->is_treacherous();
  }
  retry_at_ = std::min(retry_at_, now + static_cast<std::uint32_t>(journal_retry_seconds));
  if (now >= retry_at_) {
    // The set holds this token already, so the new file does too.
    const auto snapshot = [&](const ReplayJournal::Visit& visit) {
      set_.for_each_live(now, visit);
    };
    if (journal_->rewrite(now, blind_before_, snapshot)) return true;
    retry_at_ = now + static_cast<std::uint32_t>(journal_retry_seconds);
  }
  return !journal_->is_treacherous();
}

}  // namespace catbird::auth
