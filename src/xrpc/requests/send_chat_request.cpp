// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "storage/tables/accounts.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/requests/rules.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

namespace {

constexpr std::int64_t padded_size_min = 512;  // lexicon heldMessage.paddedSize

Result<std::vector<storage::HeldMessage>> held_of(const Fields& fields, const std::string& id) {
  auto items = fields.maybe_objects("heldMessages");
  if (!items) return std::unexpected(items.error());
  if (items->size() > core::held_messages_max) return fail(Errc::batch_too_large);
  std::vector<storage::HeldMessage> messages;
  for (const auto& item : *items) {
    auto ciphertext = item.bytes("ciphertext");
    if (!ciphertext) return std::unexpected(ciphertext.error());
    if (ciphertext->size() > core::blob_bytes_max) return fail(Errc::message_too_large);
    auto size = item.integer("paddedSize");
    if (!size) return std::unexpected(size.error());
    if (*size < padded_size_min || !std::cmp_equal(*size, ciphertext->size())) {
      return fail(Errc::invalid_request, "paddedSize is not the size of the ciphertext");
    }
    auto key = item.maybe_bytes("ephPubKey");
    if (!key) return std::unexpected(key.error());
    if (*key && (*key)->size() > core::ephemeral_key_bytes_max) {
      return fail(Errc::invalid_request, "ephPubKey is too long");
    }
    messages.push_back({.request = id,
                        .number = messages.size() + 1,
                        .padded_size = static_cast<std::uint64_t>(*size),
                        .ephemeral_key = key->value_or(Bytes()),
                        .ciphertext = std::move(*ciphertext)});
  }
  return messages;
}

Result<NewRequest> request_of(const Fields& fields, const Call& call) {
  NewRequest request;
  auto& record = request.record;
  record.at = call.services->clock.now();
  record.id = new_timed_id(record.at);
  record.sender = call.caller.user;
  record.status = "pending";
  auto recipient = user_of(fields, "recipientDid");
  if (!recipient) return std::unexpected(recipient.error());
  record.recipient = std::move(*recipient);
  if (record.recipient == record.sender) return fail(Errc::self_request);
  auto preview = maybe_text_within(fields, "previewText", core::preview_bytes_max);
  if (!preview) return std::unexpected(preview.error());
  record.preview = std::move(*preview);
  auto invite = fields.maybe_boolean("isGroupInvite");
  if (!invite) return std::unexpected(invite.error());
  record.group_invite = invite->value_or(false);
  auto group = fields.maybe_text("groupId");
  if (!group) return std::unexpected(group.error());
  if (*group) {
    auto id = convo_id(std::move(**group));
    if (!id) return std::unexpected(id.error());
    record.group_id = std::move(id->value);
  }
  auto messages = held_of(fields, record.id);
  if (!messages) return std::unexpected(messages.error());
  record.messages = messages->size();
  request.messages = std::move(*messages);
  return request;
}

/// Somebody who has ever been here: an opt-in, a device or a key package tells.
Result<bool> is_known(storage::Reader& reader, const core::Did& user, Timestamp now) {
  const storage::Selection its{.where = {storage::where("user_did", user)}};
  auto opted = storage::count<storage::OptInRecord>(reader.tables(), its);
  if (!opted) return std::unexpected(opted.error());
  if (*opted != 0) return true;
  auto devices = storage::count<storage::DeviceRecord>(reader.tables(), its);
  if (!devices) return std::unexpected(devices.error());
  if (*devices != 0) return true;
  auto packages = reader.key_package_stats(user, now);
  if (!packages) return std::unexpected(packages.error());
  return !packages->empty();
}

}  // namespace

Task<http::Response> handle_send_chat_request(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto request = request_of(body->fields(), call);
  if (!request) co_return error_response(request.error());

  auto reading = read<bool>(call.services,
                            [user = request->record.recipient, now = request->record.at](
                                storage::Reader& reader) { return is_known(reader, user, now); });
  auto known = co_await reading;
  if (!known) co_return error_response(known.error());
  if (!*known) co_return error_response(Error{Errc::recipient_not_found, {}, {}, 0});

  auto writing = write<storage::ChatRequestRecord>(
      call.services, [request = std::move(*request)](storage::UserWriter& writer) {
        return send_request(writer.tables(), request);
      });
  auto sent = co_await writing;
  if (!sent) co_return error_response(sent.error());
  JsonWriter json;
  json.open().key("requestId").text(sent->id).key("status").text("pending");
  json.key("createdAt").text(to_rfc3339(sent->at));
  json.key("expiresAt").text(to_rfc3339(sent->expires_at));
  if (sent->group_id) json.key("convoId").text(*sent->group_id);
  json.close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
