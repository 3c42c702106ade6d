// SPDX-License-Identifier: MIT
#pragma once

#include "core/commands.hpp"
#include "core/policy.hpp"
#include "core/types.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

// What a decision changes. State is a function of events only; the stores write exactly these.

namespace catbird::core {

struct ConvoCreated {
  Bytes group_id;
  Did creator;
  std::uint16_t suite = 0;
  std::string name;
  Epoch epoch;  // the creation epoch: the first commit accepted here leads from it
  Timestamp at;
};
struct MemberAdded {
  Did user;
  bool admin = false;
  Seq join_seq;  // rows after this one are readable (A2)
  Timestamp at;
};
/// A device of an active member; known from a matched key package or from the caller's token.
struct DeviceAdded {
  Did user;
  DeviceId device;
  Seq join_seq;
};
struct MemberLeft {
  Did user;
  Seq left_seq;  // the last row it may read
  Epoch epoch;   // what the leaver was answered
  Timestamp at;
};
/// The last admin went: the longest-standing member takes over (A3).
struct AdminPromoted {
  Did user;
  Timestamp at;
};
/// An admin is a plain member again; never the last one.
struct AdminDemoted {
  Did user;
  Timestamp at;
};
/// Whether a member moderates; never an admin, whose rights include it.
struct ModeratorSet {
  Did user;
  bool moderates = false;
  Timestamp at;
};
/// What the admins allow from here on.
struct PolicySet {
  Policy policy;
  Did by;
  Timestamp at;
};
/// What members should hear of that is no numbered row, kept in the log between the rows where it
/// happened; also the record of what admins did. Changes no state.
enum class NoticeKind : std::uint8_t {
  joined = 1,
  left = 2,
  removed = 3,
  admin_added = 4,
  admin_ended = 5,
  moderator_added = 6,
  moderator_ended = 7,
  policy_changed = 8,
  warned = 9,
  group_info_wanted = 10,
  readdition_wanted = 11,
  new_device = 12,
  block_conflict = 13,
};
inline constexpr NoticeKind notice_kind_last = NoticeKind::block_conflict;
/// For the eyes of `Noted::user` alone.
inline constexpr bool is_private(NoticeKind kind) { return kind == NoticeKind::block_conflict; }
struct Noted {
  NoticeKind kind = NoticeKind::joined;
  Did user;               // whom it is about
  Did actor;              // who did it
  DeviceId device;        // new_device
  std::string reference;  // id of what it belongs to: a pending addition, a warning, a request;
                          // block_conflict: the blocked user
  std::string text;       // new_device: its name; warned: the reason
  Seq seq;                // N when it happened: who reads this row reads the notice
  Epoch epoch;
  Timestamp at;
};
/// A numbered row. A commit's epoch is the one it leads TO (contract README 3).
struct RowAppended {
  Seq seq;
  Epoch epoch;
  Kind kind = Kind::app;
  MsgId id;
  SenderTag tag{};
  Did committer;              // commits only: a message's sender is not stored
  std::optional<Epoch> base;  // commits only: UNIQUE(convo, base) is the fork guard (O1)
  Timestamp at;
  Blob bytes;
};
/// Stored once per commit, a pointer per recipient; supersedes pending ones of the same device
/// (K8).
struct WelcomeStored {
  WelcomePart welcome;
  Epoch epoch;
  Timestamp at;
};
struct GroupInfoStored {
  Epoch epoch;
  Timestamp at;
  Blob bytes;
};
/// Conditional in the store: each must be reserved to `user` (or be a last-resort package), else
/// the whole write set is rejected with key_package_not_found.
struct KeyPackagesConsumed {
  Did user;
  std::vector<Bytes> refs;
  Timestamp at;
};
struct ReadMarked {
  Did user;
  Seq seq;
};
struct RequestRecorded {
  Did user;
  RequestKey key;
  Outcome outcome;
};

using Event =
    std::variant<ConvoCreated, MemberAdded, DeviceAdded, MemberLeft, AdminPromoted, AdminDemoted,
                 ModeratorSet, PolicySet, RowAppended, WelcomeStored, GroupInfoStored,
                 KeyPackagesConsumed, ReadMarked, RequestRecorded, Noted>;

}  // namespace catbird::core
