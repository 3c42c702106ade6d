// SPDX-License-Identifier: MIT
// The output gate of a conversation and what happens when a write does not commit
// (design/engine.md, "A lane transaction").
#include "actors/conversation_actor.hpp"
#include "actors/limits.hpp"
#include "base/check.hpp"
#include "base/mutant.hpp"
#include "obs/log.hpp"

#include <algorithm>
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
  --results_due_;
  if (activation != activation_number_) {  // of a life that is over
    if (absent()) owner_.changed(id_);
    return;
  }
  // Answers that wait for the store to confirm them may stand before it.
  const auto open = std::ranges::find_if(
      gate_, [](const Place& place) { return place.writes && !place.durable; });
  CATBIRD_CHECK(open != gate_.end());
  const bool taken =
      (mutant("fenced_taken_as_committed") && result.status == storage::CommitStatus::fenced) ||
      (mutant("unknown_taken_as_committed") && result.status == storage::CommitStatus::unknown);
  if (result.status != storage::CommitStatus::committed && !taken) {
    fail_activation(std::move(result));
    return;
  }
  open->durable = true;
  row_ = result.row;
  durable_fence_ = open->fence;
  ++durable_version_.value;
  if (open->new_epoch) {
    engine_.metrics.epoch_increment_seconds.observe(
        std::chrono::duration<double>(own_.now() - open->decided).count());
  }
  failures_ = 0;
  open_gate();
  schedule();
  if (absent()) owner_.changed(id_);
}

void ConversationActor::open_gate() {
  while (!gate_.empty()) {
    auto& front = gate_.front();
    if (front.writes && !front.durable) return;
    if (!front.writes && !front.confirmed && !engine_.alone() && !mutant("unconfirmed_answer")) {
      confirm_front();
      return;
    }
    auto place = std::move(front);
    gate_.pop_front();
    if (place.writes) {
      give(std::move(place));
    } else {
      give_unwritten(std::move(place));
    }
  }
}

// Answers that write nothing, where others may write too: true only if the row still is the one
// they were decided on (DECISIONS 7). One question for all that stand at the front; nothing behind
// them leaves before, so that they keep their place if they must be decided again (O6).
void ConversationActor::confirm_front() {
  if (gate_.front().asked) return;
  for (auto& place : gate_) {
    if (place.writes) break;
    place.asked = true;
  }
  ++reads_open_;
  engine_.confirmer.ask(
      id_, own_,
      [this, number = activation_number_](Result<std::optional<storage::Standing>> standing) {
        --reads_open_;
        if (number == activation_number_) confirmed(std::move(standing));
        schedule();
        if (absent()) owner_.changed(id_);
      });
}

void ConversationActor::confirmed(Result<std::optional<storage::Standing>> standing) {
  if (standing && !stands(*standing)) {
    // Someone else has written here. Nothing of this life is true any more: decide all of it again
    // on what is stored. A write that is still open would come back fenced.
    engine_.metrics.restarts_fenced.add();
    auto places = take_gate();
    end_activation();
    requeue(std::move(places));
    load();
    return;
  }
  while (!gate_.empty() && gate_.front().asked && !gate_.front().confirmed) {
    if (standing) {
      for (auto& place : gate_) {
        if (!place.asked) break;
        place.confirmed = true;
      }
      break;
    }
    auto place = std::move(gate_.front());
    gate_.pop_front();
    if (std::holds_alternative<AccessLetter>(place.letter.what)) --reads_waiting_;
    refuse(place.letter, standing.error());
  }
  open_gate();
}

/// Nobody but this activation has written the row since it was loaded. With our fence in it, only
/// ourselves can have, and this actor has merely not heard of it yet.
bool ConversationActor::stands(const std::optional<storage::Standing>& standing) const {
  if (!standing) return durable_version_.value == 0;
  if (standing->fence == durable_fence_ && standing->version == durable_version_) return true;
  const bool writing =
      std::ranges::any_of(gate_, [](const Place& place) { return place.writes && !place.durable; });
  return writing && standing->fence == seen_ && standing->version > durable_version_ &&
         standing->version <= version_;
}

void ConversationActor::give_unwritten(Place place) {
  if (std::holds_alternative<AccessLetter>(place.letter.what)) {
    --reads_waiting_;
    give_access(place.letter, std::move(place.access));
  } else if (place.lookup) {
    confirm_refusal(std::move(place));
  } else {
    give(std::move(place));
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
      if (absent()) owner_.changed(id_);
    });
  });
}

/// Empties the gate at the end of an activation. What is durable is answered: it only waited for an
/// answer before it.
std::list<ConversationActor::Place> ConversationActor::take_gate() {
  std::list<Place> open;
  for (auto& place : std::exchange(gate_, {})) {
    if (place.durable) {
      give(std::move(place));
      continue;
    }
    place.asked = place.confirmed = false;
    open.push_back(std::move(place));
  }
  return open;
}

void ConversationActor::fail_activation(storage::WriteResult result) {
  auto places = take_gate();
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
      const auto first = std::ranges::find_if(places, &Place::writes);
      guilty = std::move(*first);
      places.erase(first);
    }
    requeue(std::move(places));
    if (guilty) resolve_rejected(std::move(*guilty), std::move(result.error));
    load();
    return;
  }
  const bool full =
      result.status == storage::CommitStatus::failed && result.error.code == Errc::storage_full;
  std::list<Place> reads;
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
    std::list<Place> again;
    again.push_back(std::move(place));
    requeue(std::move(again));
    return;
  }
  engine_.metrics.quarantined.add();
  obs::log(obs::Level::error, log_target, "actor quarantined a command that fails every time",
           {{"convo", obs::log_id(id_.value)}, {"reason", error.detail}});
  refuse(place.letter, {Errc::quarantined, "this request fails every time", std::nullopt, 0});
}

void ConversationActor::requeue(std::list<Place> places) {
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
  reads_waiting_ = 0;
  if (!mutant("no_reload_after_failure")) head_ = core::Conversation();
  keys_ready_ = false;
  state_ = State::waiting;
}

}  // namespace catbird::actors
