// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/commands.hpp"
#include "core/events.hpp"
#include "core/key_window.hpp"
#include "core/snapshot.hpp"

#include <span>
#include <utility>
#include <vector>

namespace catbird::core {

/// An accepted command: what changes, and the answer once that is durable. No events: the answer
/// comes from a record (a retry), or the state is already as asked.
struct Decision {
  std::vector<Event> events;
  Outcome outcome;
};

/// What a reader may see, and where the conversation stands. Rows r with after < r <= until.
struct Access {
  bool active = false;
  Seq after;
  Seq until;
  Seq last_seq;
  Seq read_seq;
  Epoch epoch;
};

/// One conversation as a pure state machine (RFC 9420 group as a delivery service sees it): a
/// command in, events out. No clock, I/O, threads. The same rules serve the actor, the direct
/// gateway, every store and the simulator.
///
/// decide() never changes anything and fails only with the refusals of base/result.hpp; apply()
/// cannot fail on events that decide() made (CATBIRD_CHECK otherwise). Order inside decide():
/// retries first (by key, before membership and epoch: DECISIONS 2), then membership, then the
/// epoch, then the rest.
class Conversation {
 public:
  Conversation() = default;
  explicit Conversation(Snapshot snapshot) : state_(std::move(snapshot)) {}

  Result<Decision> decide(const Command& command, Timestamp now) const;
  void apply(const Event& event);

  /// not_member unless the caller is or was a member; a departed one keeps its window (README 12).
  Result<Access> access(const Did& user) const;

  /// What a known key answers: the whole first answer, or conflict (another's msgId, or the same
  /// idempotencyKey with another request). `known.key` must be one of keys_of(command).
  static Result<Outcome> answer_from(const KnownKey& known, const Command& command);

  /// True for a command whose key must be looked up in the store before a refusal counts.
  static bool is_keyed(const Command& command);
  /// All keys of the command, as the window and the stores name them.
  static std::vector<std::string> keys_of(const Command& command);

  const Snapshot& state() const { return state_; }
  bool exists() const { return state_.exists; }
  Seq last_seq() const { return state_.last_seq; }
  Epoch epoch() const { return state_.epoch; }
  KeyWindow& keys() { return keys_; }
  const KeyWindow& keys() const { return keys_; }

 private:
  struct Change;  // a roster change in the making, see group_change.cpp

  Result<Decision> decide_create(const Command& command, const CreateConvo& create,
                                 Timestamp now) const;
  Result<Decision> decide_add(const Command& command, const AddMembers& add, Timestamp now) const;
  Result<Decision> decide_remove(const Command& command, const RemoveMembers& remove,
                                 Timestamp now) const;
  Result<Decision> decide_leave(const Command& command, const LeaveConvo& leave,
                                Timestamp now) const;
  Result<Decision> decide_external(const Command& command, const ExternalCommit& external,
                                   Timestamp now) const;
  Result<Decision> decide_send(const Command& command, const SendMessage& send,
                               Timestamp now) const;
  Result<Decision> decide_group_info(const Command& command, const UpdateGroupInfo& update,
                                     Timestamp now) const;
  Result<Decision> decide_read(const Command& command, const MarkRead& mark, Timestamp now) const;
  Result<Decision> decide_role(const Command& command, const ChangeRole& change,
                               Timestamp now) const;
  Result<Decision> decide_policy(const Command& command, const ChangePolicy& change,
                                 Timestamp now) const;
  Result<Decision> decide_warn(const Command& command, const WarnMember& warn, Timestamp now) const;
  Result<Decision> decide_help(const Command& command, const AskForHelp& asked,
                               Timestamp now) const;

  Result<Decision> change_group(const Change& change) const;
  void change_roster(const Change& change, Decision& decision) const;
  Result<void> check_parts(const GroupParts& parts) const;
  Result<void> check_welcome(const Change& change) const;
  std::optional<Did> heir(const std::vector<Did>& leaving) const;
  std::unexpected<Error> stale(Epoch client) const;
  Decision changed_without_row(Timestamp now) const;
  Noted noted(NoticeKind kind, const Did& user, const Did& actor, Timestamp at) const;

  const Roster::Entry* find(const Did& user) const;
  const Roster::Entry* find_active(const Did& user) const;
  Roster::Entry& at(const Did& user);
  std::size_t active_count() const;
  std::size_t admin_count() const;

  void apply_one(const ConvoCreated& event);
  void apply_one(const MemberAdded& event);
  void apply_one(const DeviceAdded& event);
  void apply_one(const MemberLeft& event);
  void apply_one(const AdminPromoted& event);
  void apply_one(const AdminDemoted& event);
  void apply_one(const ModeratorSet& event);
  void apply_one(const PolicySet& event);
  void apply_one(const RowAppended& event);
  void apply_one(const WelcomeStored& event);
  void apply_one(const GroupInfoStored& event);
  void apply_one(const KeyPackagesConsumed& event);
  void apply_one(const ReadMarked& event);
  void apply_one(const RequestRecorded& event);
  void apply_one(const Noted&) {}

  Snapshot state_;
  KeyWindow keys_;
};

/// The time of a numbered row, and of the answer to whoever wrote it: rounded down, so that it
/// tells little about who was online when.
Timestamp blurred(Timestamp now);

/// createConvo's answer, kept in Outcome::detail because it must survive later changes: the name
/// and the members at creation.
struct CreationDetail {
  std::string name;
  std::vector<Did> members;
};
std::string encode_creation(const CreationDetail& detail);
/// Nothing if `text` was not made by encode_creation.
std::optional<CreationDetail> decode_creation(std::string_view text);

}  // namespace catbird::core
