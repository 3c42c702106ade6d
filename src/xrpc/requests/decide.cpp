// SPDX-License-Identifier: MIT
// acceptChatRequest, declineChatRequest, blockChatSender.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/requests/rules.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

namespace {

/// A group id that nobody has: the accepting client creates the conversation under it.
std::string new_group_id() {
  auto id = new_id();
  std::erase(id, '-');
  return id;
}

struct Accepted {
  storage::ChatRequestRecord request;
  std::vector<storage::HeldMessage> messages;
};

}  // namespace

// Accepting releases the held messages and settles the group id. The group itself is made by the
// client, with createConvo: only it has the keys.
Task<http::Response> handle_accept_chat_request(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto id = text_within(body->fields(), "requestId", core::record_id_bytes_max);
  if (!id) co_return error_response(id.error());
  auto welcome = body->fields().maybe_bytes("welcomeData");
  if (!welcome) co_return error_response(welcome.error());
  if (*welcome && !(*welcome)->empty()) {
    co_return error_response(
        Error{Errc::invalid_request,
              "welcomeData is not taken here: send the Welcome with createConvo",
              {},
              0});
  }
  auto writing = write<Accepted>(call.services,
                                 [decision = Decision{.id = *id,
                                                      .recipient = call.caller.user,
                                                      .status = "accepted",
                                                      .group_id = new_group_id(),
                                                      .now = call.services->clock.now()}](
                                     storage::UserWriter& writer) -> Result<Accepted> {
                                   auto request = decide_request(writer.tables(), decision);
                                   if (!request) return std::unexpected(request.error());
                                   auto messages = held_messages(writer.tables(), decision.id);
                                   if (!messages) return std::unexpected(messages.error());
                                   return Accepted{std::move(*request), std::move(*messages)};
                                 });
  auto accepted = co_await writing;
  if (!accepted) co_return error_response(accepted.error());
  JsonWriter json;
  json.open().key("convoId").text(*accepted->request.group_id);
  json.key("heldMessages").open_list();
  for (const auto& message : accepted->messages) {
    json.open().key("id").text(message.request + "." + std::to_string(message.number));
    json.key("ciphertext").bytes(message.ciphertext);
    json.key("paddedSize").number(message.padded_size);
    json.key("sequence").number(message.number);
    if (!message.ephemeral_key.empty()) json.key("ephPubKey").bytes(message.ephemeral_key);
    json.close();
  }
  json.close_list().key("acceptedAt").text(to_rfc3339(*accepted->request.decided_at)).close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_decline_chat_request(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  const auto& fields = body->fields();
  auto id = text_within(fields, "requestId", core::record_id_bytes_max);
  if (!id) co_return error_response(id.error());
  auto reason =
      maybe_one_of(fields, "reportReason", {"spam", "harassment", "inappropriate", "other"});
  if (!reason) co_return error_response(reason.error());
  auto details = maybe_text_within(fields, "reportDetails", core::reason_bytes_max);
  if (!details) co_return error_response(details.error());
  auto writing = write<storage::ChatRequestRecord>(
      call.services,
      [decision = Decision{.id = *id,
                           .recipient = call.caller.user,
                           .status = "declined",
                           .group_id = {},
                           .reason = std::move(*reason),
                           .details = std::move(*details),
                           .now = call.services->clock.now()}](storage::UserWriter& writer) {
        return decide_request(writer.tables(), decision);
      });
  auto declined = co_await writing;
  // Over already: what the caller wants is the case.
  if (!declined && declined.error().code != Errc::request_expired) {
    co_return error_response(declined.error());
  }
  co_return success_response();
}

Task<http::Response> handle_block_chat_sender(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  const auto& fields = body->fields();
  auto sender = user_of(fields, "senderDid");
  if (!sender) co_return error_response(sender.error());
  if (*sender == call.caller.user) co_return error_response(Error{Errc::self_request, {}, {}, 0});
  auto request = maybe_text_within(fields, "requestId", core::record_id_bytes_max);
  if (!request) co_return error_response(request.error());
  auto reason = maybe_one_of(fields, "reason", {"spam", "harassment", "inappropriate", "other"});
  if (!reason) co_return error_response(reason.error());
  auto writing = write<std::uint64_t>(
      call.services,
      [blocked = storage::BlockedSender{.user = call.caller.user,
                                        .sender = std::move(*sender),
                                        .reason = reason->value_or("other"),
                                        .at = call.services->clock.now()}](
          storage::UserWriter& writer) { return block_sender(writer.tables(), blocked); });
  auto count = co_await writing;
  if (!count) co_return error_response(count.error());
  JsonWriter json;
  json.open().key("success").boolean(true).key("blockedCount").number(*count).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
