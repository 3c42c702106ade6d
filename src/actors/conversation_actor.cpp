// SPDX-License-Identifier: MIT
#include "actors/conversation_actor.hpp"

#include "actors/limits.hpp"
#include "actors/write_set.hpp"
#include "base/check.hpp"
#include "base/mutant.hpp"
#include "core/limits.hpp"
#include "obs/log.hpp"

#include <algorithm>
#include <utility>

namespace catbird::actors {

namespace {
constexpr std::string_view log_target = "catbird_server::actors::conversation";
}

ConversationActor::ConversationActor(const core::ConvoId& id, Executor& own, Engine& engine,
                                     Owner& owner)
    : id_(id), own_(own), engine_(engine), owner_(owner), last_used_(own.now()) {}

ConversationActor::~ConversationActor() {
  if (activation_) activation_->alive.store(false, std::memory_order_release);
}

bool ConversationActor::settled() const {
  return mailbox_.empty() && gate_.empty() && reads_open_ == 0 && results_due_ == 0 &&
         !scheduled_ && (state_ == State::ready || state_ == State::cold);
}

void ConversationActor::deliver(Letter letter) {
  last_used_ = own_.now();
  if (!admitted(letter)) {
    engine_.metrics.drops_overload.add();
    letter.refuse({Errc::overloaded, "the server is busy", std::nullopt, 0});
    return;
  }
  if (mailbox_.size() + gate_.size() - reads_waiting_ + lookups_open_ >=
          engine_.mailbox_letters_max ||
      (mailbox_bytes_ + letter.bytes > mailbox_bytes_max && !mailbox_.empty()) ||
      engine_.mailbox_bytes.load() + letter.bytes > mailboxes_bytes_max) {
    engine_.metrics.mailbox_full.add();
    if (engine_.convo_labels) count_labelled("actor_mailbox_full_events_total");
    letter.refuse({Errc::overloaded, "this conversation is busy", std::nullopt, 0});
    return;
  }
  letter.arrived = last_used_;
  count_in(letter);
  ++engine_.letters;
  mailbox_.push_back(std::move(letter));
  if (state_ == State::cold) {
    load();
  } else {
    schedule();
  }
}

/// Reads and read marks always are: a mark is small, and who reads must not be told to come back.
bool ConversationActor::admitted(const Letter& letter) const {
  const auto* asked = std::get_if<CommandLetter>(&letter.what);
  if (asked == nullptr || std::holds_alternative<core::MarkRead>(asked->command.what)) return true;
  const bool message = std::holds_alternative<core::SendMessage>(asked->command.what);
  return engine_.lane_of(id_).admits(!message);
}

void ConversationActor::schedule() {
  if (scheduled_ || state_ != State::ready || mailbox_.empty()) return;
  scheduled_ = true;
  own_.post([this] {
    scheduled_ = false;
    turn();
  });
}

void ConversationActor::turn() {
  const auto began = own_.now();
  for (std::size_t handled = 0; handled < turn_letters_max && state_ == State::ready; ++handled) {
    if (mailbox_.empty()) break;
    // Fair to the other conversations of this worker.
    if (own_.now() - began > turn_time_max) break;
    if (needs_keys(mailbox_.front())) {
      load_keys();
      break;
    }
    auto letter = std::move(mailbox_.front());
    mailbox_.pop_front();
    count_out(letter);
    if (!expired(letter)) handle(std::move(letter));
  }
  schedule();
  if (absent()) owner_.changed(id_);
}

bool ConversationActor::expired(Letter& letter) {
  if (letter.deadline > own_.now()) return false;
  engine_.metrics.drops_deadline.add();
  refuse(letter, {Errc::deadline, "not started in time", std::nullopt, 0});
  return true;
}

bool ConversationActor::needs_keys(const Letter& letter) const {
  const auto* command = std::get_if<CommandLetter>(&letter.what);
  return command != nullptr && !keys_ready_ && !mutant("key_window_lost") && head_.exists() &&
         core::Conversation::is_keyed(command->command);
}

void ConversationActor::handle(Letter letter) {
  if (std::holds_alternative<CommandLetter>(letter.what)) {
    handle_command(std::move(letter));
  } else {
    handle_access(std::move(letter));
  }
}

void ConversationActor::handle_command(Letter letter) {
  const auto& command = std::get<CommandLetter>(letter.what).command;
  auto decision = head_.decide(command, engine_.clock.now());
  Place place{.letter = std::move(letter), .answer = core::Outcome{}, .decided = own_.now()};
  if (!decision) {
    if (decision.error().code == Errc::epoch_mismatch) {
      engine_.metrics.epoch_conflicts.add();
      if (engine_.convo_labels) count_labelled("epoch_conflicts_total");
    }
    const auto& kept = std::get<CommandLetter>(place.letter.what).command;
    place.lookup =
        kept.key.has_value() || (core::Conversation::is_keyed(kept) && !head_.keys().complete());
    if (mutant("key_not_looked_up")) place.lookup = false;
    place.answer = std::unexpected(decision.error());
  } else {
    place.answer = decision->outcome;
    if (!decision->events.empty()) {
      submit(std::move(place), std::move(*decision));
      return;
    }
  }
  // Decided on the head, which may not be stored yet: a 409 that names epoch 6 must not be seen
  // before epoch 6 is durable.
  if (mutant("refusal_before_durable")) {
    give(std::move(place));
    return;
  }
  gate_.push_back(std::move(place));
  open_gate();
}

void ConversationActor::handle_access(Letter letter) {
  auto access = head_.access(std::get<AccessLetter>(letter.what).user);
  if ((gate_.empty() && engine_.alone()) || mutant("read_from_head")) {
    give_access(letter, std::move(access));
    return;
  }
  if (reads_waiting_ >= reads_waiting_max) {
    refuse(letter, {Errc::overloaded, "this conversation is busy", std::nullopt, 0});
    return;
  }
  // Whoever reads the store, or a stream, may have seen the open writes before this actor hears of
  // them: an answer without them would go back behind what was shown (O5, L6).
  ++reads_waiting_;
  gate_.push_back({.letter = std::move(letter),
                   .answer = core::Outcome{},
                   .access = std::move(access),
                   .decided = own_.now()});
  open_gate();
}

void ConversationActor::give_access(Letter& letter, Result<core::Access> access) {
  observe(letter, letter.arrived);
  std::get<AccessLetter>(letter.what).reply(std::move(access));
  answered();
}

void ConversationActor::submit(Place place, core::Decision decision) {
  auto set = make_write_set(id_, head_, {row_, seen_, version_}, core::Fence(engine_.fence.load()),
                            std::move(decision.events));
  if (set.creates) {
    keys_ready_ = true;  // a new conversation has no keys but those it made
    log_start();
  }
  seen_ = set.fence;
  version_ = core::Version(version_.value + 1);

  if (mutant("reply_before_durable")) {
    auto& command = std::get<CommandLetter>(place.letter.what);
    command.reply(place.answer);
    command.reply = [](const Result<core::Outcome>&) {};
  }
  place.writes = true;
  place.fence = set.fence;
  place.new_epoch = set.new_epoch > set.epoch;
  ++results_due_;
  gate_.push_back(std::move(place));
  engine_.lane_of(id_).submit(
      {.set = std::move(set),
       .activation = activation_,
       .home = &own_,
       .done = [this, number = activation_number_](storage::WriteResult result) {
         settle(number, std::move(result));
       }});
}

// One series per conversation: only where the operator asked for it (METRICS_CONVO_LABELS).
void ConversationActor::count_labelled(std::string_view name) {
  engine_.metrics.registry.counter(name, "By conversation", "convo_id=" + id_.value).add();
}

void ConversationActor::log_start() const {
  if (!obs::enabled(obs::Level::info, log_target)) return;
  obs::log(obs::Level::info, log_target,
           "ConversationActor " + obs::log_id(id_.value) + " starting at epoch " +
               std::to_string(head_.epoch().value));
}

void ConversationActor::observe(const Letter& letter, Instant since) {
  const auto* command = std::get_if<CommandLetter>(&letter.what);
  const auto index = command != nullptr ? command->command.what.index()
                                        : engine_.metrics.message_seconds.size() - 1;
  engine_.metrics.message_seconds[index]->observe(
      std::chrono::duration<double>(own_.now() - since).count());
}

void ConversationActor::refuse(Letter& letter, Error error) {
  letter.refuse(std::move(error));
  answered();
}

void ConversationActor::count_in(const Letter& letter) {
  mailbox_bytes_ += letter.bytes;
  engine_.mailbox_bytes += letter.bytes;
}

void ConversationActor::count_out(const Letter& letter) {
  mailbox_bytes_ -= letter.bytes;
  engine_.mailbox_bytes -= letter.bytes;
}

std::size_t ConversationActor::bytes() const {
  constexpr std::size_t bytes_per_key = 320;  // node, two strings, outcome
  return sizeof(*this) + id_.value.capacity() + head_.state().members.bytes() +
         head_.keys().size() * bytes_per_key + mailbox_bytes_;
}

void ConversationActor::drop_keys() {
  if (!keys_ready_ || !head_.exists() || !settled()) return;
  head_.keys().clear();
  keys_ready_ = false;
}

void ConversationActor::audit(std::move_only_function<void(bool)> done) {
  CATBIRD_CHECK(settled());
  if (state_ == State::cold || !head_.exists()) {
    done(true);
    return;
  }
  ++reads_open_;
  engine_.readers.run(
      [this, number = activation_number_, done = std::move(done)](storage::Reader& reader) mutable {
        own_.post([this, number, result = reader.load(id_), done = std::move(done)]() mutable {
          --reads_open_;
          if (number != activation_number_ || !settled()) {
            schedule();
            done(false);
            return;
          }
          const bool same = result && result->version == version_ && result->fence == seen_ &&
                            result->state.last_seq == head_.last_seq() &&
                            result->state.epoch == head_.epoch();
          // Someone else's fence in the row is someone else's write, where others may write.
          const bool foreign = result && result->fence != seen_ && !engine_.alone();
          if (result && !same && !foreign) {
            engine_.metrics.audit_mismatches.add();
            obs::log(obs::Level::error, log_target, "actor state differs from the stored row",
                     {{"convo", obs::log_id(id_.value)}});
          }
          done(true);
        });
      });
}

}  // namespace catbird::actors
