// SPDX-License-Identifier: MIT
// The output gate of a conversation and what happens when a write does not commit
// (design/engine.md, "A lane transaction").
#include "actors/conversation_actor.hpp"
#include "actors/limits.hpp"
#include "base/check.hpp"
#include "base/mutant.hpp"
#include "obs/log.hpp"

#include <utility>

namespace catbird::actors {

namespace {

constexpr std::string_view log_target = "catbird_server::actors::conversation";

Error retry_error() {
  return {Errc::retry, "the outcome is not known yet, send the same request again", std::nullopt,
          1};
}

}  // namespace

void ConversationActor::settle(std::uint64_t activation, storage::WriteResult result) {
  if (activation != activation_number_) return;  // of a life that is over
  CATBIRD_CHECK(!gate_.empty() && gate_.front().writes);
  const bool taken =
      (mutant("fenced_taken_as_committed") && result.status == storage::CommitStatus::fenced) ||
      (mutant("unknown_taken_as_committed") && result.status == storage::CommitStatus::unknown);
  if (result.status != storage::CommitStatus::committed && !taken) {
    fail_activation(std::move(result));
    return;
  }
  auto place = std::move(gate_.front());
  gate_.pop_front();
  --writes_open_;
  row_ = result.row;
  if (place.new_epoch) {
    engine_.metrics.epoch_increment_seconds.observe(
        std::chrono::duration<double>(own_.now() - place.decided).count());
  }
  failures_ = 0;
  give(std::move(place));
  open_gate();
  schedule();
  if (absent()) changed_();
}

void ConversationActor::open_gate() {
  while (!gate_.empty() && !gate_.front().writes) {
    auto place = std::move(gate_.front());
    gate_.pop_front();
    if (std::holds_alternative<AccessLetter>(place.letter.what)) {
      --reads_waiting_;
      give_access(place.letter, std::move(place.access));
    } else if (place.lookup) {
      confirm_refusal(std::move(place));
    } else {
      give(std::move(place));
    }
  }
}

void ConversationActor::give(Place place) {
  observe(place.letter, place.letter.arrived);
  std::get<CommandLetter>(place.letter.what).reply(std::move(place.answer));
  answered();
}

// "For ever means for ever": a refusal counts only if the store does not know the key either.
void ConversationActor::confirm_refusal(Place place) {
  ++reads_open_;
  ++lookups_open_;
  engine_.readers.run([this, place = std::move(place)](storage::Reader& reader) mutable {
    const auto& command = std::get<CommandLetter>(place.letter.what).command;
    std::optional<core::KnownKey> known;
    Result<void> looked{};
    for (const auto& key : core::Conversation::keys_of(command)) {
      auto found = reader.find_key(id_, key);
      if (!found) {
        looked = std::unexpected(found.error());
        break;
      }
      if (*found && !known) known = std::move(*found);
    }
    own_.post([this, place = std::move(place), known = std::move(known),
               looked = std::move(looked)]() mutable {
      --reads_open_;
      --lookups_open_;
      if (!looked) {
        place.answer = std::unexpected(looked.error());
      } else if (known) {
        auto answer = core::Conversation::answer_from(
            *known, std::get<CommandLetter>(place.letter.what).command);
        // A stranger stays one, whatever it guessed (A6).
        const bool stranger = !place.answer && place.answer.error().code == Errc::not_member;
        if (answer || !stranger) place.answer = std::move(answer);
      }
      give(std::move(place));
      schedule();
      if (absent()) changed_();
    });
  });
}

void ConversationActor::fail_activation(storage::WriteResult result) {
  auto places = std::move(gate_);
  gate_.clear();
  end_activation();
  const bool definite = result.status == storage::CommitStatus::fenced ||
                        result.status == storage::CommitStatus::rejected;
  if (result.status == storage::CommitStatus::fenced) engine_.metrics.restarts_fenced.add();
  if (result.status == storage::CommitStatus::rejected) engine_.metrics.restarts_rejected.add();
  if (result.status == storage::CommitStatus::failed) engine_.metrics.restarts_failed.add();
  if (result.status == storage::CommitStatus::unknown) engine_.metrics.restarts_unknown.add();

  if (definite) {
    // Nothing at or behind this place was written: decide it again on what is stored, in the order
    // it came (O6).
    std::optional<Place> guilty;
    if (result.status == storage::CommitStatus::rejected) {
      guilty = std::move(places.front());
      places.pop_front();
    }
    requeue(std::move(places));
    if (guilty) resolve_rejected(std::move(*guilty), std::move(result.error));
    load();
    return;
  }
  const bool full =
      result.status == storage::CommitStatus::failed && result.error.code == Errc::storage_full;
  std::deque<Place> reads;
  for (auto& place : places) {
    if (std::holds_alternative<AccessLetter>(place.letter.what)) {
      reads.push_back(std::move(place));  // a read has no outcome to be unsure of
      continue;
    }
    refuse(place.letter, full ? result.error : retry_error());
  }
  requeue(std::move(reads));
  if (full) {
    load();  // nothing was written, and reads go on: no reason to wait
    return;
  }
  ++failures_;
  obs::log(obs::Level::error, log_target, "actor reloads after a write that did not commit",
           {{"convo", obs::log_id(id_.value)}, {"reason", result.error.detail}});
  retry_load();
}

void ConversationActor::resolve_rejected(Place place, Error error) {
  if (error.code == Errc::conflict) {
    // A key that was used before this activation's window: the store has the first answer.
    place.answer = std::unexpected(std::move(error));
    confirm_refusal(std::move(place));
    return;
  }
  if (error.code != Errc::internal) {
    refuse(place.letter, std::move(error));
    return;
  }
  if (++place.letter.breaks < letter_attempts_max) {
    std::deque<Place> again;
    again.push_back(std::move(place));
    requeue(std::move(again));
    return;
  }
  engine_.metrics.quarantined.add();
  obs::log(obs::Level::error, log_target, "actor quarantined a command that fails every time",
           {{"convo", obs::log_id(id_.value)}, {"reason", error.detail}});
  refuse(place.letter, {Errc::quarantined, "this request fails every time", std::nullopt, 0});
}

void ConversationActor::requeue(std::deque<Place> places) {
  while (!places.empty()) {
    auto letter = std::move(places.back().letter);
    places.pop_back();
    if (++letter.attempts > letter_decisions_max) {
      refuse(letter, retry_error());
      continue;
    }
    count_in(letter);
    if (mutant("requeue_reversed")) {
      mailbox_.push_back(std::move(letter));
      continue;
    }
    mailbox_.push_front(std::move(letter));
  }
}

void ConversationActor::end_activation() {
  if (activation_) activation_->alive.store(false, std::memory_order_release);
  ++activation_number_;
  writes_open_ = 0;
  reads_waiting_ = 0;
  if (!mutant("no_reload_after_failure")) head_ = core::Conversation(id_, {});
  keys_ready_ = false;
  state_ = State::waiting;
}

}  // namespace catbird::actors
