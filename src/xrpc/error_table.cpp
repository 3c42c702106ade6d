// SPDX-License-Identifier: MIT
#include "xrpc/error_table.hpp"

#include "base/check.hpp"
#include "xrpc/json_writer.hpp"

#include <array>
#include <string>

namespace catbird::xrpc {

namespace {

constexpr auto table = std::to_array<ErrorRow>({
    {Errc::invalid_request, 400, "InvalidRequest", "the request is malformed", 0},
    {Errc::malformed_mls, 400, "InvalidRequest", "not a well-formed MLS message", 0},
    {Errc::invalid_commit, 400, "InvalidCommit", "not a commit this method takes", 0},
    {Errc::invalid_group_info, 400, "InvalidGroupInfo", "not a GroupInfo of this group", 0},
    {Errc::invalid_key_package, 400, "InvalidKeyPackage", "the key package is not valid", 0},
    {Errc::invalid_cipher_suite, 400, "InvalidCipherSuite", "this suite is not carried", 0},
    {Errc::invalid_cursor, 400, "InvalidCursor", "not a cursor of this server", 0},
    {Errc::invalid_epoch_range, 400, "InvalidEpochRange", "toEpoch is before fromEpoch", 0},
    {Errc::invalid_did, 400, "InvalidDid", "not a valid DID", 0},
    {Errc::expiration_too_far, 400, "ExpirationTooFar", "the lifetime is too long", 0},
    {Errc::too_many_key_packages, 429, "TooManyKeyPackages", "this device has enough key packages",
     3600},
    {Errc::too_many_members, 400, "TooManyMembers", "the conversation would be too large", 0},
    {Errc::too_many_dids, 400, "TooManyDids", "too many DIDs in one request", 0},
    {Errc::batch_too_large, 400, "BatchTooLarge", "too many items in one request", 0},
    {Errc::message_too_large, 413, "MessageTooLarge", "the message is too large", 0},
    {Errc::not_member, 403, "NotMember", "not a member of this conversation", 0},
    {Errc::not_admin, 403, "NotAdmin", "only an admin may do this", 0},
    {Errc::cannot_remove_self, 400, "CannotRemoveSelf", "use leaveConvo to leave", 0},
    {Errc::unauthorized, 403, "Unauthorized", "not allowed in this conversation", 0},
    {Errc::already_member, 409, "AlreadyMember", "already a member", 0},
    {Errc::convo_exists, 409, "ConvoAlreadyExists", "this group id is taken", 0},
    {Errc::epoch_mismatch, 409, "EpochMismatch", "EpochMismatch", 0},
    {Errc::conflict, 409, "Conflict", "already used for something else", 0},
    {Errc::key_package_not_found, 409, "KeyPackageNotFound",
     "a key package is not reserved to the sender, fetch key packages again", 0},
    {Errc::welcome_not_found, 404, "WelcomeNotFound", "no Welcome is waiting", 0},
    {Errc::group_info_unavailable, 404, "GroupInfoUnavailable", "no GroupInfo of the current epoch",
     0},
    {Errc::invalid_device_name, 400, "InvalidDeviceName", "the device name is not valid", 0},
    {Errc::invalid_key_packages, 400, "InvalidKeyPackages", "a key package is not valid", 0},
    {Errc::invalid_signature_key, 400, "InvalidSignatureKey", "the signature key is not valid", 0},
    {Errc::invalid_welcome, 400, "InvalidWelcome", "not a well-formed Welcome", 0},
    {Errc::device_already_registered, 409, "DeviceAlreadyRegistered", "another device has this key",
     0},
    {Errc::too_many_devices, 429, "TooManyDevices", "a user may have no more devices", 3600},
    {Errc::device_not_found, 404, "DeviceNotFound", "no such device", 0},
    {Errc::no_such_key_package, 404, "KeyPackageNotFound",
     "no key package of this Welcome is known", 0},
    {Errc::recipient_mismatch, 403, "RecipientMismatch", "the Welcome is for somebody else", 0},
    {Errc::already_admin, 409, "AlreadyAdmin", "the target is an admin already", 0},
    {Errc::not_admin_target, 409, "NotAdminTarget", "the target is no admin", 0},
    {Errc::last_admin, 409, "LastAdmin", "a conversation keeps one admin", 0},
    {Errc::already_moderator, 409, "AlreadyModerator", "the target moderates already", 0},
    {Errc::is_admin, 409, "IsAdmin", "an admin may do all that a moderator may", 0},
    {Errc::not_moderator, 409, "NotModerator", "the target does not moderate", 0},
    {Errc::target_not_member, 404, "TargetNotMember", "the target is not a member", 0},
    {Errc::cannot_warn_admin, 400, "CannotWarnAdmin", "admins are not warned", 0},
    {Errc::no_fields, 400, "NoFieldsProvided", "nothing to change was given", 0},
    {Errc::invalid_max_members, 400, "InvalidMaxMembers", "there are more members than that", 0},
    {Errc::no_active_members, 409, "NoActiveMembers", "nobody is there who could help", 0},
    {Errc::cannot_report_self, 400, "CannotReportSelf", "this is yourself", 0},
    {Errc::report_not_found, 404, "ReportNotFound", "no such report", 0},
    {Errc::already_resolved, 409, "AlreadyResolved", "the report is resolved already", 0},
    {Errc::invalid_psk_hash, 400, "InvalidPSKHash", "pskHash must be a SHA-256 in hexadecimal", 0},
    {Errc::invite_not_found, 404, "InviteNotFound", "no such invite", 0},
    {Errc::already_revoked, 409, "AlreadyRevoked", "the invite is revoked already", 0},
    {Errc::account_suspended, 403, "AccountTakedown",
     "the operator of this server has suspended this account", 0},
    {Errc::not_authorized, 403, "NotAuthorized", "only an admin may see this", 0},
    {Errc::mutual_block_detected, 403, "MutualBlockDetected", "one of these users blocks another",
     0},
    {Errc::blocked_by_member, 403, "BlockedByMember", "a block stands between these users", 0},
    {Errc::block_not_verified, 400, "BlockNotVerified", "the block list says otherwise", 0},
    {Errc::bluesky_unavailable, 502, "BlueskyServiceUnavailable", "a block list cannot be read now",
     60},
    {Errc::not_claimed, 409, "NotClaimed", "the addition is not claimed", 0},
    {Errc::not_found, 404, "NotFound", "nothing there", 0},
    {Errc::self_request, 400, "SelfRequest", "this is yourself", 0},
    {Errc::recipient_not_found, 404, "RecipientNotFound", "this user was never here", 0},
    {Errc::blocked_by_recipient, 403, "BlockedByRecipient",
     "the recipient takes no requests of you", 0},
    {Errc::duplicate_request, 409, "DuplicateRequest", "a request to this user is open", 0},
    {Errc::too_many_requests, 429, "RateLimited", "too many chat requests in one day", 3600},
    {Errc::request_not_found, 404, "RequestNotFound", "no such request", 0},
    {Errc::request_expired, 410, "RequestExpired", "the request is past its time", 0},
    {Errc::already_processed, 409, "AlreadyProcessed", "the request is decided already", 0},
    {Errc::unauthenticated, 401, "AuthenticationRequired", "a valid service token is needed", 0},
    {Errc::token_from_before, 503, "TemporarilyUnavailable",
     "this token is older than the server, send a new one", 1},
    {Errc::rate_limited, 429, "RateLimitExceeded", "too many requests", 1},
    {Errc::overloaded, 503, "Overloaded", "the server is busy", 1},
    {Errc::deadline, 503, "TemporarilyUnavailable", "not started in time", 1},
    {Errc::retry, 503, "TemporarilyUnavailable", "send the same request again", 1},
    {Errc::quarantined, 500, "InternalServerError", "this request fails every time", 0},
    {Errc::storage_unavailable, 503, "TemporarilyUnavailable", "the store does not answer", 2},
    {Errc::storage_full, 503, "TemporarilyUnavailable", "the store has no room", 30},
    {Errc::storage_corrupt, 500, "StorageCorrupt", "stored data failed its checksum", 0},
    {Errc::not_implemented, 501, "MethodNotImplemented", "this server does not have this", 0},
    {Errc::internal, 500, "InternalServerError", "an internal error", 0},
});

http::Response body_of(int status, std::string_view name, std::string_view message,
                       const std::optional<EpochClash>& clash) {
  JsonWriter json;
  json.open().key("error").text(name).key("message").text(message);
  if (clash) {
    json.key("serverEpoch").number(clash->server_epoch);
    json.key("clientEpoch").number(clash->client_epoch);
  }
  json.close();
  http::Response response;
  response.status = status;
  response.body = json.take();
  return response;
}

}  // namespace

const ErrorRow& error_row(Errc code) {
  for (const auto& row : table) {
    if (row.code == code) return row;
  }
  CATBIRD_CHECK(false && "every Errc has a row");
  return table.front();
}

http::Response error_response(const Error& error, std::string_view stale_name) {
  const auto& row = error_row(error.code);
  auto name = row.name;
  std::string message = error.detail.empty() ? std::string(row.message) : error.detail;
  if (error.clash) {
    // Always begins like this (DECISIONS 11): behind a proxy it is all that a client gets.
    message = "EpochMismatch: serverEpoch=" + std::to_string(error.clash->server_epoch) +
              " clientEpoch=" + std::to_string(error.clash->client_epoch);
    if (!stale_name.empty()) name = stale_name;
  }
  auto response = body_of(row.status, name, message, error.clash);
  const auto wait =
      error.retry_after_seconds != 0 ? error.retry_after_seconds : row.retry_after_seconds;
  if (wait != 0) response.headers.emplace_back("Retry-After", std::to_string(wait));
  return response;
}

http::Response plain_error(int status, std::string_view name, std::string_view message) {
  return body_of(status, name, message, std::nullopt);
}

}  // namespace catbird::xrpc
