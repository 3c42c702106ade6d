// SPDX-License-Identifier: MIT
#include "xrpc/requests/rules.hpp"

#include "core/limits.hpp"

#include <algorithm>

namespace catbird::xrpc {

using storage::BlockedSender;
using storage::ChatRequestRecord;
using storage::ChatRequestSettings;
using storage::HeldMessage;
using storage::where;
using enum storage::Filter::Op;

namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

Result<std::optional<ChatRequestRecord>> open_request(storage::TableReader& tables,
                                                      const core::Did& sender,
                                                      const core::Did& recipient) {
  return storage::select_one<ChatRequestRecord>(
      tables, {.where = {where("sender", sender), where("recipient", recipient),
                         where("status", "pending")}});
}

Result<void> settle(storage::TableWriter& tables, const ChatRequestRecord& request,
                    std::string_view status, Timestamp now) {
  auto after = request;
  after.status = status;
  after.decided_at = now;
  return replace(tables, request, after);
}

/// A client that did not hear the answer sends the same again.
Result<bool> same(storage::TableReader& tables, const ChatRequestRecord& known,
                  const NewRequest& wanted) {
  if (known.preview != wanted.record.preview || known.group_id != wanted.record.group_id ||
      known.group_invite != wanted.record.group_invite) {
    return false;
  }
  auto held = held_messages(tables, known.id);
  if (!held) return std::unexpected(held.error());
  return std::ranges::equal(*held, wanted.messages, [](const auto& a, const auto& b) {
    return a.ciphertext == b.ciphertext && a.ephemeral_key == b.ephemeral_key;
  });
}

/// An open request whose time is over makes room for the next; the same request is given back.
Result<std::optional<ChatRequestRecord>> make_room(storage::TableWriter& tables,
                                                   const NewRequest& wanted) {
  const auto& record = wanted.record;
  auto open = open_request(tables, record.sender, record.recipient);
  if (!open) return std::unexpected(open.error());
  if (!*open) return std::nullopt;
  if (status_of(**open, record.at) != "pending") {
    if (auto done = settle(tables, **open, "expired", record.at); !done) {
      return std::unexpected(done.error());
    }
    return std::nullopt;
  }
  auto again = same(tables, **open, wanted);
  if (!again) return std::unexpected(again.error());
  if (!*again) return fail(Errc::duplicate_request);
  return *open;
}

Result<void> check_sender(storage::TableReader& tables, const ChatRequestRecord& wanted) {
  auto blocked = storage::count<BlockedSender>(
      tables, {.where = {where("user_did", wanted.recipient), where("sender", wanted.sender)}});
  if (!blocked) return std::unexpected(blocked.error());
  if (*blocked != 0) return fail(Errc::blocked_by_recipient);
  auto today = storage::count<ChatRequestRecord>(
      tables, {.where = {where("sender", wanted.sender),
                         where("at", above, Timestamp(wanted.at.value - day_ms))}});
  if (!today) return std::unexpected(today.error());
  if (*today >= core::chat_requests_per_day_max) return fail(Errc::too_many_requests);
  return {};
}

}  // namespace

std::string_view status_of(const ChatRequestRecord& request, Timestamp now) {
  if (request.status == "pending" && request.expires_at <= now) return "expired";
  return request.status;
}

Result<ChatRequestSettings> settings_of(storage::TableReader& tables, const core::Did& user) {
  auto found =
      storage::select_one<ChatRequestSettings>(tables, {.where = {where("user_did", user)}});
  if (!found) return std::unexpected(found.error());
  if (*found) return **found;
  ChatRequestSettings settings;
  settings.user = user;
  return settings;
}

Result<ChatRequestRecord> send_request(storage::TableWriter& tables, NewRequest request) {
  auto& record = request.record;
  // Of one sender one after another: its limit is over all of them.
  if (auto locked = tables.lock("chat requests " + record.sender.value); !locked) {
    return std::unexpected(locked.error());
  }
  auto known = make_room(tables, request);
  if (!known) return std::unexpected(known.error());
  if (*known) return **known;
  if (auto allowed = check_sender(tables, record); !allowed) {
    return std::unexpected(allowed.error());
  }
  auto settings = settings_of(tables, record.recipient);
  if (!settings) return std::unexpected(settings.error());
  record.expires_at =
      Timestamp(record.at.value + static_cast<std::int64_t>(settings->expire_days) * day_ms);
  auto added = insert(tables, record);
  if (!added) return std::unexpected(added.error());
  if (!*added) return fail(Errc::duplicate_request);
  for (const auto& message : request.messages) {
    if (auto held = insert(tables, message); !held) return std::unexpected(held.error());
  }
  return record;
}

Result<ChatRequestRecord> decide_request(storage::TableWriter& tables, const Decision& decision) {
  auto found = storage::select_one<ChatRequestRecord>(
      tables, {.where = {where("id", decision.id), where("recipient", decision.recipient)}});
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail(Errc::request_not_found);
  const auto& before = **found;
  if (before.status == decision.status) return before;  // the same request again
  if (before.status != "pending") return fail(Errc::already_processed);
  if (status_of(before, decision.now) != "pending") return fail(Errc::request_expired);
  auto after = before;
  after.status = decision.status;
  after.decided_at = decision.now;
  after.reason = decision.reason;
  after.details = decision.details;
  if (decision.status == "accepted" && !after.group_id) after.group_id = decision.group_id;
  if (auto done = replace(tables, before, after); !done) return std::unexpected(done.error());
  return after;
}

Result<std::vector<HeldMessage>> held_messages(storage::TableReader& tables,
                                               const std::string& request) {
  return storage::select<HeldMessage>(tables, {.where = {where("request", request)}});
}

Result<std::uint64_t> block_sender(storage::TableWriter& tables, const BlockedSender& blocked) {
  if (auto locked = tables.lock("chat requests " + blocked.sender.value); !locked) {
    return std::unexpected(locked.error());
  }
  if (auto done = put(tables, blocked); !done) return std::unexpected(done.error());
  auto open = storage::select<ChatRequestRecord>(
      tables, {.where = {where("sender", blocked.sender), where("recipient", blocked.user),
                         where("status", "pending")}});
  if (!open) return std::unexpected(open.error());
  for (const auto& request : *open) {
    if (auto done = settle(tables, request, "blocked", blocked.at); !done) {
      return std::unexpected(done.error());
    }
  }
  return open->size();
}

}  // namespace catbird::xrpc
