// SPDX-License-Identifier: MIT
#include "social/block_reader.hpp"

#include "auth/did.hpp"
#include "base/age.hpp"
#include "social/block_records.hpp"
#include "social/limits.hpp"

#include <iterator>
#include <utility>

namespace catbird::social {
namespace {

constexpr int status_ok = 200;
constexpr int status_bad_request = 400;
constexpr int status_not_found = 404;
constexpr int status_gone = 410;

std::unexpected<Error> unreachable() {
  return fail(Errc::bluesky_unavailable, "a user's block list cannot be read now");
}

}  // namespace

BlockReader::BlockReader(BlockReaderOptions options, const Clock& clock, auth::DidFetch fetch)
    : options_(std::move(options)),
      clock_(clock),
      fetch_(std::move(fetch)),
      known_(lists_max + 1) {}

void BlockReader::of(const std::string& did, Age age, Done done) {
  std::optional<Result<BlockListPtr>> answer;
  {
    const std::scoped_lock lock(mutex_);
    answer = look(did, age, clock_.now().value);
    if (!answer && !join(did, age, done)) {
      answer = fail(Errc::overloaded, "too many block lists are being read");
    }
  }
  if (answer) {
    done(std::move(*answer));
  } else {
    start_some();
  }
}

std::size_t BlockReader::blocks_kept() const {
  const std::scoped_lock lock(mutex_);
  return kept_;
}

std::optional<Result<BlockListPtr>> BlockReader::look(const std::string& did, Age age,
                                                      std::int64_t now) {
  if (age == Age::now) return std::nullopt;
  const Known* known = known_.find(did);
  if (known == nullptr) return std::nullopt;
  if (known->list && is_within(known->asked_ms, now, fresh_ms)) return known->list;
  if (!is_within(known->failed_ms, now, unreachable_ms)) return std::nullopt;
  if (known->list && is_within(known->asked_ms, now, stale_ms_max)) return known->list;
  return unreachable();
}

/// Takes `done` unless it gives false.
bool BlockReader::join(const std::string& did, Age age, Done& done) {
  auto flight = flights_.find(did);
  if (flight == flights_.end()) {
    if (queue_.size() >= queued_max) return false;
    flight = flights_.emplace(did, Flight{}).first;
    queue_.push_back(did);
  }
  auto& one = flight->second;
  auto& waiting = age == Age::now && one.started ? one.later : one.waiters;
  if (waiting.size() >= waiters_per_list_max) return false;
  waiting.push_back({age, std::move(done)});
  return true;
}

void BlockReader::start_some() {
  for (;;) {
    std::string did;
    {
      const std::scoped_lock lock(mutex_);
      if (queue_.empty() || under_way_ >= flights_max) return;
      did = std::move(queue_.front());
      queue_.pop_front();
      ++under_way_;
      auto& flight = flights_.at(did);
      flight.started = true;
      flight.asked_ms = clock_.now().value;
    }
    start(did);
  }
}

void BlockReader::start(const std::string& did) {
  const auto target = auth::did_target(
      did, {options_.plc_directory_url, options_.development, options_.did_host_allowlist});
  if (!target) return finish(did, unreachable());  // ours to refuse
  fetch(target->url, target->operator_url, did, &BlockReader::got_document);
}

void BlockReader::fetch(std::string url, bool operator_url, const std::string& did,
                        void (BlockReader::*next)(const std::string&,
                                                  Result<auth::DidFetchReply>)) {
  fetch_(std::move(url), operator_url,
         [weak = weak_from_this(), did, next](Result<auth::DidFetchReply> reply) {
           // The process may have stopped meanwhile; then nobody waits any more.
           if (const auto self = weak.lock()) ((*self).*next)(did, std::move(reply));
         });
}

void BlockReader::got_document(const std::string& did, Result<auth::DidFetchReply> reply) {
  if (!reply) return finish(did, unreachable());
  if (reply->status == status_not_found || reply->status == status_gone) {
    return finish(did, std::vector<Block>{});
  }
  if (reply->status != status_ok) return finish(did, unreachable());
  auto server = data_server_of(reply->body, did);
  if (!server) return finish(did, std::unexpected(std::move(server.error())));
  if (!*server) return finish(did, std::vector<Block>{});
  {
    const std::scoped_lock lock(mutex_);
    flights_.at(did).server = std::move(**server);
  }
  ask_page(did, {});
}

void BlockReader::ask_page(const std::string& did, const std::string& cursor) {
  std::string url;
  {
    const std::scoped_lock lock(mutex_);
    url = block_page_url(flights_.at(did).server, did, cursor);
  }
  fetch(std::move(url), false, did, &BlockReader::got_page);
}

void BlockReader::got_page(const std::string& did, Result<auth::DidFetchReply> reply) {
  if (!reply) return finish(did, unreachable());
  const bool refused = reply->status == status_bad_request || reply->status == status_not_found;
  if (refused && says_no_repository(reply->body)) return finish(did, std::vector<Block>{});
  if (reply->status != status_ok) return finish(did, unreachable());
  auto page = read_block_page(reply->body, did);
  if (!page) return finish(did, std::unexpected(std::move(page.error())));
  std::vector<Block> all;
  {
    const std::scoped_lock lock(mutex_);
    auto& flight = flights_.at(did);
    std::ranges::move(page->blocks, std::back_inserter(flight.blocks));
    // Newest first: of a longer list the oldest are not known.
    if (++flight.pages >= pages_max) page->cursor.clear();
    if (page->cursor.empty()) all = std::move(flight.blocks);
  }
  if (!page->cursor.empty()) return ask_page(did, page->cursor);
  finish(did, std::move(all));
}

void BlockReader::finish(const std::string& did, Result<std::vector<Block>> outcome) {
  std::vector<Waiter> waiters;
  BlockListPtr list;
  {
    const std::scoped_lock lock(mutex_);
    auto flight = flights_.extract(did);
    --under_way_;
    waiters = std::move(flight.mapped().waiters);
    list = outcome ? keep(did, flight.mapped().asked_ms, std::move(*outcome)) : keep_failure(did);
    if (!flight.mapped().later.empty()) {
      flights_[did].waiters = std::move(flight.mapped().later);
      queue_.push_back(did);
    }
  }
  for (auto& [age, done] : waiters) {
    if (list && (outcome || age == Age::cached)) {
      done(list);
    } else {
      done(std::unexpected(outcome.error()));
    }
  }
  start_some();
}

BlockListPtr BlockReader::keep(const std::string& did, std::int64_t asked_ms,
                               std::vector<Block> blocks) {
  static const auto nobody = std::make_shared<const BlockList>();
  auto list = blocks.empty() ? nobody : std::make_shared<const BlockList>(std::move(blocks));
  if (const Known* known = known_.find(did)) {
    if (known->list) kept_ -= known->list->size();
    known_.erase(did);
  }
  make_room(list->size());
  kept_ += list->size();
  known_.put(did, Known{list, asked_ms, never_ms});
  return list;
}

/// The list that may stand in; null if there is none.
BlockListPtr BlockReader::keep_failure(const std::string& did) {
  const auto now = clock_.now().value;
  Known* known = known_.find(did);
  if (known == nullptr) {
    make_room(0);
    known_.put(did, Known{nullptr, never_ms, now});
    return nullptr;
  }
  known->failed_ms = now;
  return is_within(known->asked_ms, now, stale_ms_max) ? known->list : nullptr;
}

void BlockReader::make_room(std::size_t blocks) {
  while (known_.size() >= lists_max || kept_ + blocks > blocks_kept_max) {
    const auto oldest = known_.take_oldest();
    if (!oldest) return;
    if (oldest->list) kept_ -= oldest->list->size();
  }
}

}  // namespace catbird::social
