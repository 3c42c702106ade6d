// SPDX-License-Identifier: MIT
#pragma once

#include "core/types.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

// What callers ask of a conversation. xrpc/ builds these after parsing the MLS bytes; a command
// carries only facts that were read from the bytes or verified, never a client's word about them.

namespace catbird::core {

/// A commit: `group_id` and `base` are the ones inside the MLS bytes (O2).
struct CommitPart {
  Blob bytes;
  Bytes group_id;
  Epoch base;
};

/// One intended reader of a Welcome. `key_package_ref` is empty when no uploaded package matches
/// and the recipient is only declared (contract README 13).
struct Recipient {
  Did user;
  DeviceId device;
  Bytes key_package_ref;
};

struct WelcomePart {
  Blob bytes;
  std::vector<Recipient> recipients;
};

struct GroupInfoPart {
  Blob bytes;
  Bytes group_id;
  Epoch epoch;
};

/// A key package that the commit uses up. `reserved_to_caller` was read before the decision; the
/// store checks it again in the transaction.
struct KeyPackageUse {
  Bytes ref;
  bool reserved_to_caller = false;
};

/// What a group change carries beside the roster change.
struct GroupParts {
  std::optional<CommitPart> commit;
  std::optional<WelcomePart> welcome;
  std::optional<GroupInfoPart> group_info;
  std::vector<KeyPackageUse> key_packages;
};

struct CreateConvo {
  Bytes group_id;
  std::uint16_t suite = 0;
  std::string name;
  std::vector<Did> initial_members;  // the caller is a member whether or not listed
  Epoch epoch;                       // contract README 3: where the creator's group already is
  GroupParts parts;                  // no commit: it happened before the conversation existed here
};
struct AddMembers {
  std::vector<Did> users;  // empty with a commit: a plain commit (contract README 11)
  GroupParts parts;
};
struct RemoveMembers {
  std::vector<Did> users;
  GroupParts parts;
};
/// The caller leaves, or its creator/admin takes `target` out.
struct LeaveConvo {
  Did target;
  GroupParts parts;
};
/// An application message or a proposal: anything numbered that does not end the epoch.
struct SendMessage {
  MsgId id;
  Kind kind = Kind::app;
  Bytes group_id;
  Epoch epoch;
  Blob bytes;  // as uploaded, padding included
};
/// RFC 9420 §12.4.3.2: the caller (re)joins by itself.
struct ExternalCommit {
  GroupParts parts;
};
struct UpdateGroupInfo {
  GroupInfoPart group_info;
};
/// Moves the caller's read mark forward; never back, never past N (U2).
struct MarkRead {
  Seq seq;
};

enum class Role : std::uint8_t { admin, moderator };
/// An admin gives or takes a role; anyone may lay down its own.
struct ChangeRole {
  Did target;
  Role role = Role::admin;
  bool grant = false;
};
/// An admin changes what is given; at least one.
struct ChangePolicy {
  std::optional<bool> allow_invites;
  std::optional<bool> admin_only_invites;
  std::optional<bool> allow_member_add;
  std::optional<bool> allow_member_remove;
  std::optional<bool> require_admin_approval;
  std::optional<std::uint16_t> max_members;
};
/// An admin or a moderator warns a plain member.
struct WarnMember {
  Did target;
  std::string id;
  std::string reason;
};
/// The caller asks the members for help with its MLS group, since nobody else has the keys.
struct AskForHelp {
  enum class With : std::uint8_t {
    group_info,  // a fresh GroupInfo, to come back in by itself
    readdition,  // to be added again; also of who left
  };
  With with = With::group_info;
  std::string id;  // of the request, if it has one
};

struct Command {
  Caller caller;
  SenderTag tag{};                // of the caller in this conversation
  std::optional<RequestKey> key;  // idempotency, besides SendMessage::id
  std::variant<CreateConvo, AddMembers, RemoveMembers, LeaveConvo, SendMessage, ExternalCommit,
               UpdateGroupInfo, MarkRead, ChangeRole, ChangePolicy, WarnMember, AskForHelp>
      what;
};

}  // namespace catbird::core
