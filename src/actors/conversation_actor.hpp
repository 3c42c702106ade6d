// SPDX-License-Identifier: MIT
#pragma once

#include "actors/engine.hpp"
#include "actors/letter.hpp"
#include "core/conversation.hpp"

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string_view>

namespace catbird::actors {

/// Owns one conversation: decides its commands strictly one after another on the speculative head,
/// hands each write to the lane, and holds every answer behind the gate until what it depends on is
/// durable. When a write is not committed the head is thrown away and the store is read again
/// before the next decision (O8).
///
/// Lives on one worker: every member function runs there, and every callback it starts comes back
/// there. The registry destroys it only when settled() (or when the process ends).
class ConversationActor {
 public:
  /// Told when an actor is absent() or ended; must not destroy it before it has returned.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void changed(const core::ConvoId& id) = 0;
  };
  /// All of them, `id` too, outlive the actor.
  ConversationActor(const core::ConvoId& id, Executor& own, Engine& engine, Owner& owner);
  ~ConversationActor();

  ConversationActor(const ConversationActor&) = delete;
  ConversationActor& operator=(const ConversationActor&) = delete;

  /// Queues a letter; a full mailbox answers `overloaded` at once.
  void deliver(Letter letter);

  /// Nothing waits, nothing is in flight: may be destroyed.
  bool settled() const;
  /// Settled and without a conversation in the store: not worth keeping.
  bool absent() const { return state_ == State::ready && !head_.exists() && settled(); }
  Instant last_used() const { return last_used_; }
  std::size_t bytes() const;
  /// Forgets the key window of an idle actor (DECISIONS 10).
  void drop_keys();
  /// Compares memory with the store before passivation; `done(true)` if they agree and the actor is
  /// still settled. A disagreement is counted and ends the activation all the same.
  void audit(std::move_only_function<void(bool)> done);

  const core::ConvoId& id() const { return id_; }

 private:
  enum class State : std::uint8_t { cold, loading, loading_keys, waiting, ready };

  /// One place behind the gate, in decision order.
  struct Place {
    Letter letter;
    Result<core::Outcome> answer;
    Result<core::Access> access{};  // of an AccessLetter
    bool writes = false;
    bool durable = false;    // of one that writes: it is
    bool asked = false;      // of one that does not: the store is being asked
    bool confirmed = false;  // … and has said that the answer still is true
    core::Fence fence{};     // of one that writes
    bool new_epoch = false;
    bool lookup = false;  // a refusal that the store must confirm (DECISIONS 1)
    Instant decided{};
  };

  void load();
  void loaded(std::uint64_t activation, Result<storage::Loaded> result);
  void load_keys();
  void keys_loaded(std::uint64_t activation, Result<storage::Reader::Keys> result);
  void retry_load();

  bool admitted(const Letter& letter) const;
  void schedule();
  void turn();
  bool expired(Letter& letter);
  bool needs_keys(const Letter& letter) const;
  void handle(Letter letter);
  void handle_command(Letter letter);
  void handle_access(Letter letter);
  void give_access(Letter& letter, Result<core::Access> access);
  void submit(Place place, core::Decision decision);

  void settle(std::uint64_t activation, storage::WriteResult result);
  void open_gate();
  void give(Place place);
  void confirm_front();
  void confirmed(Result<std::optional<storage::Standing>> standing);
  bool stands(const std::optional<storage::Standing>& standing) const;
  void give_unwritten(Place place);
  std::list<Place> take_gate();
  void confirm_refusal(Place place);

  void fail_activation(storage::WriteResult result);
  void resolve_rejected(Place place, Error error);
  void requeue(std::list<Place> places);
  void end_activation();
  void renew_fence();
  void log_start() const;
  void count_labelled(std::string_view name);

  void refuse(Letter& letter, Error error);
  void answered() { --engine_.letters; }
  void count_in(const Letter& letter);
  void count_out(const Letter& letter);
  void observe(const Letter& letter, Instant since);

  const core::ConvoId& id_;  // the registry keeps it
  Executor& own_;
  Engine& engine_;
  Owner& owner_;

  State state_ = State::cold;
  // Lists: most actors are idle, and then have no block of memory here.
  std::list<Letter> mailbox_;
  std::size_t mailbox_bytes_ = 0;
  std::list<Place> gate_;
  std::size_t reads_waiting_ = 0;  // AccessLetters behind the gate
  std::size_t reads_open_ = 0;
  std::size_t results_due_ = 0;   // writes that the lane will still tell of, also of earlier lives
  std::size_t lookups_open_ = 0;  // refusals that wait for the store; part of reads_open_
  bool scheduled_ = false;
  Instant last_used_{};

  // One activation.
  std::uint64_t activation_number_ = 0;
  std::shared_ptr<Activation> activation_;
  core::Conversation head_;
  bool keys_ready_ = false;
  storage::RowHandle row_ = 0;
  core::Fence seen_;
  core::Version version_;
  // The part of the two that is durable, as far as this actor has heard.
  core::Fence durable_fence_;
  core::Version durable_version_;

  std::uint32_t failures_ = 0;  // in a row, for the back-off
};

}  // namespace catbird::actors
