// SPDX-License-Identifier: MIT
#pragma once

#include "core/events.hpp"
#include "core/policy.hpp"
#include "core/snapshot.hpp"
#include "storage/table.hpp"

#include <optional>
#include <string>

// What a conversation has beside its row, roster and history: notices in its log, the policy,
// moderators, reports, invites. The first three are written by its write sets only.

namespace catbird::storage {

/// A core::Noted in the log. Positions are shared with the messages', so that both together have
/// one order.
struct NoticeRecord {
  std::uint64_t position = 0;
  core::ConvoId convo;
  core::NoticeKind kind = core::NoticeKind::joined;
  core::Did user;
  core::Did actor;
  core::DeviceId device;
  std::string reference;
  std::string words;
  core::Seq seq;
  core::Epoch epoch;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.position);
    visit(self.convo);
    visit(self.kind);
    visit(self.user);
    visit(self.actor);
    visit(self.device);
    visit(self.reference);
    visit(self.words);
    visit(self.seq);
    visit(self.epoch);
    visit(self.at);
  }
};
inline NoticeRecord record_of(std::uint64_t position, const core::ConvoId& convo,
                              const core::Noted& noted) {
  return {.position = position,
          .convo = convo,
          .kind = noted.kind,
          .user = noted.user,
          .actor = noted.actor,
          .device = noted.device,
          .reference = noted.reference,
          .words = noted.text,
          .seq = noted.seq,
          .epoch = noted.epoch,
          .at = noted.at};
}

/// What the admins have set; a conversation without a row has core::Policy's defaults.
struct PolicyRecord {
  core::ConvoId convo;
  bool allow_invites = false;
  bool admin_only_invites = false;
  bool allow_member_add = false;
  bool allow_member_remove = false;
  bool require_admin_approval = false;
  std::uint16_t max_members = 0;
  core::Did by;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.convo);
    visit(self.allow_invites);
    visit(self.admin_only_invites);
    visit(self.allow_member_add);
    visit(self.allow_member_remove);
    visit(self.require_admin_approval);
    visit(self.max_members);
    visit(self.by);
    visit(self.at);
  }
};
inline PolicyRecord record_of(const core::ConvoId& convo, const core::PolicySet& set) {
  const auto& policy = set.policy;
  return {.convo = convo,
          .allow_invites = policy.allow_invites,
          .admin_only_invites = policy.admin_only_invites,
          .allow_member_add = policy.allow_member_add,
          .allow_member_remove = policy.allow_member_remove,
          .require_admin_approval = policy.require_admin_approval,
          .max_members = policy.max_members,
          .by = set.by,
          .at = set.at};
}
inline core::Policy policy_of(const PolicyRecord& record) {
  return {.allow_invites = record.allow_invites,
          .admin_only_invites = record.admin_only_invites,
          .allow_member_add = record.allow_member_add,
          .allow_member_remove = record.allow_member_remove,
          .require_admin_approval = record.require_admin_approval,
          .max_members = record.max_members};
}

/// An active member that moderates.
struct ModeratorRecord {
  core::ConvoId convo;
  core::Did user;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.convo);
    visit(self.user);
    visit(self.at);
  }
};

/// The role of a member as an event leaves it, in the transaction of its write set.
Result<void> set_moderator(TableWriter& tables, const core::ConvoId& convo,
                           const core::ModeratorSet& event);

/// Roles and policy of a conversation whose members are loaded: read, or as the rows of the two
/// tables. Fails with storage_corrupt for a moderator that is no active member.
Result<void> add_governance(std::vector<Cells> policy, std::vector<Cells> moderators,
                            core::Snapshot& state);
Result<void> load_governance(TableReader& tables, const core::ConvoId& convo,
                             core::Snapshot& state);

/// What one member says of another, for the admins' eyes: the server cannot read it.
struct ReportRecord {
  std::string id;
  core::ConvoId convo;
  core::Did reporter;
  core::Did reported;
  std::string category;
  std::optional<std::string> message_ids;  // one a line
  std::string status;                      // pending, resolved, dismissed
  Timestamp at;
  std::optional<std::string> action;
  std::optional<std::string> notes;
  std::optional<core::Did> resolved_by;
  std::optional<Timestamp> resolved_at;
  Bytes content;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.id);
    visit(self.convo);
    visit(self.reporter);
    visit(self.reported);
    visit(self.category);
    visit(self.message_ids);
    visit(self.status);
    visit(self.at);
    visit(self.action);
    visit(self.notes);
    visit(self.resolved_by);
    visit(self.resolved_at);
    visit(self.content);
  }
};

/// A block between two members of a conversation, as the blocker's client reported it.
struct BlockConflictRecord {
  core::ConvoId convo;
  core::Did blocker;
  core::Did blocked;
  Timestamp at;
  std::optional<Timestamp> lifted_at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.convo);
    visit(self.blocker);
    visit(self.blocked);
    visit(self.at);
    visit(self.lifted_at);
  }
};

/// A link into a conversation. The server knows the hash of what the link holds, never that.
struct InviteRecord {
  std::string id;
  core::ConvoId convo;
  core::Did created_by;
  Timestamp at;
  std::string psk_hash;  // lower-case hex of a SHA-256
  std::optional<core::Did> target;
  std::optional<Timestamp> expires_at;
  std::optional<std::int64_t> max_uses;
  std::int64_t uses = 0;
  std::optional<Timestamp> revoked_at;
  std::optional<core::Did> revoked_by;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.id);
    visit(self.convo);
    visit(self.created_by);
    visit(self.at);
    visit(self.psk_hash);
    visit(self.target);
    visit(self.expires_at);
    visit(self.max_uses);
    visit(self.uses);
    visit(self.revoked_at);
    visit(self.revoked_by);
  }
};

}  // namespace catbird::storage
