// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>

// Expected failures travel as values. Exceptions are reserved for bugs and exhausted resources.

namespace catbird {

/// A code exists only when some caller can react to it specifically; all other detail is prose.
/// xrpc/error_table.cpp maps each code to an HTTP status and a lexicon error name; a test demands
/// a row for every code.
enum class Errc {
  invalid_request,            // malformed or contradictory input
  malformed_mls,              // bytes that are not strict RFC 9420 framing
  invalid_commit,             // well-formed MLS, but not a commit this method takes
  invalid_group_info,         // not a GroupInfo of this group and epoch
  invalid_key_package,        // a key package that must never be handed out
  invalid_cipher_suite,       // a suite this server does not carry
  invalid_cursor,             // a page or stream cursor this server never issued
  invalid_epoch_range,        // getCommits: the range ends before it begins
  invalid_did,                // not an AT Protocol DID
  expiration_too_far,         // key package lifetime beyond what we store
  too_many_key_packages,      // the device's pool is full
  too_many_members,           // the conversation's member limit
  too_many_dids,              // more DIDs in one request than the lexicon allows
  batch_too_large,            // more items in one batch than the lexicon allows
  message_too_large,          // a blob above limits.hpp
  not_member,                 // or no such conversation: the two are indistinguishable (A6)
  not_admin,                  // the role is missing
  cannot_remove_self,         // removeMember on oneself: use leaveConvo
  unauthorized,               // authenticated, but may not do this (external commit, GroupInfo)
  already_member,             // adding a member that is active
  convo_exists,               // createConvo with a group id that is taken
  epoch_mismatch,             // stale commit or message; `clash` says where the server is
  conflict,                   // an id or key already used for something else
  key_package_not_found,      // not reserved to the sender, gone, or unknown
  welcome_not_found,          // none pending for this device
  group_info_unavailable,     // none stored for the current epoch
  invalid_device_name,        // a device name that is empty, too long or unprintable
  invalid_key_packages,       // a registration with a key package that is not valid
  invalid_signature_key,      // not an Ed25519 public key
  invalid_welcome,            // not a Welcome
  device_already_registered,  // the signature key is another device's
  too_many_devices,           // the user's device limit
  device_not_found,           // the caller has no such device
  no_such_key_package,        // a Welcome for packages that were never here
  recipient_mismatch,         // a Welcome for somebody else
  already_admin,              // a promotion of an admin
  not_admin_target,           // a demotion of somebody who is no admin
  last_admin,                 // the last admin of a conversation stays one
  already_moderator,          // a promotion of a moderator
  is_admin,                   // an admin needs no moderator's role
  not_moderator,              // a demotion of somebody who is no moderator
  target_not_member,          // a report or warning about somebody who is not there
  cannot_warn_admin,          // admins are not warned
  no_fields,                  // a change that changes nothing
  invalid_max_members,        // fewer than there are
  no_active_members,          // nobody there who could help
  cannot_report_self,         // a report about oneself
  report_not_found,           // no such report to the caller
  already_resolved,           // a report that is resolved
  invalid_psk_hash,           // an invite's hash that is no SHA-256
  invite_not_found,           // no such invite to the caller
  already_revoked,            // an invite that is revoked
  account_suspended,          // the operator has suspended the caller
  not_authorized,             // statistics of a conversation that the caller does not administer
  mutual_block_detected,      // a conversation of users who block each other
  blocked_by_member,          // an addition of somebody who blocks or is blocked
  block_not_verified,         // a block that the user's own list does not show
  bluesky_unavailable,        // a block list that cannot be read now: 502
  not_claimed,                // a pending addition that the caller has not claimed
  not_found,                  // what the caller names is not there (any more)
  self_request,               // a chat request to oneself
  recipient_not_found,        // a chat request to somebody who was never here
  blocked_by_recipient,       // the recipient takes no requests of the sender
  duplicate_request,          // an open chat request to the same user
  too_many_requests,          // the sender's chat requests of a day
  request_not_found,          // no such chat request to the caller
  request_expired,            // a chat request that is past its time
  already_processed,          // a chat request that is decided otherwise
  unauthenticated,            // no valid token: 401
  token_from_before,          // token older than this process (DECISIONS 15/19): 503
  rate_limited,               // a token bucket is empty: 429
  overloaded,                 // a bounded queue is full: 503
  deadline,                   // not even started before the caller's deadline: 503
  retry,                      // outcome unknown; the same request again finds the truth: 503
  quarantined,                // the same command broke its actor three times: 500
  storage_unavailable,        // the store did not answer: 503
  storage_full,               // SQLITE_FULL: 503 and go on
  storage_corrupt,            // a row whose checksum does not match: 500, never its bytes
  not_implemented,            // honest absence: 501
  internal,                   // a bug, reported once: 500
};

/// The newest value; the table test walks to it.
inline constexpr Errc errc_last = Errc::internal;

/// Where the server stands when it refuses a stale epoch.
struct EpochClash {
  std::uint64_t server_epoch = 0;
  std::uint64_t client_epoch = 0;
  friend bool operator==(const EpochClash&, const EpochClash&) = default;
};

struct Error {
  Errc code = Errc::internal;
  std::string detail;  // Shown to the client: lower case, no full stop, no secrets, no identifiers.
  std::optional<EpochClash> clash{};
  std::uint32_t retry_after_seconds = 0;  // 0: the error table's default
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string detail = {}) {
  return std::unexpected(Error{code, std::move(detail), std::nullopt, 0});
}

}  // namespace catbird
