// SPDX-License-Identifier: MIT
// promoteAdmin, demoteAdmin, promoteModerator, demoteModerator, warnMember.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/group_parts.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

namespace {

/// A command about one member of a conversation.
struct Asked {
  core::ConvoId convo;
  core::Did target;
  std::optional<core::RequestKey> key;
};

Result<Asked> parse(const Body& body, std::string_view method, std::string_view target_name) {
  auto convo = convo_id_of(body.fields());
  if (!convo) return std::unexpected(convo.error());
  auto target = user_of(body.fields(), target_name);
  if (!target) return std::unexpected(target.error());
  auto key = request_key(body, method, {});
  if (!key) return std::unexpected(key.error());
  return Asked{std::move(*convo), std::move(*target), std::move(*key)};
}

Task<http::Response> change_role(Call call, std::string_view method, core::Role role, bool grant) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto asked = parse(*body, method, "targetDid");
  if (!asked) co_return error_response(asked.error());
  core::Command command;
  command.caller = call.caller;
  command.key = std::move(asked->key);
  command.what = core::ChangeRole{.target = std::move(asked->target), .role = role, .grant = grant};
  auto asking = ask(call.services, std::move(asked->convo), std::move(command));
  auto outcome = co_await asking;
  if (!outcome) co_return error_response(outcome.error());
  JsonWriter json;
  json.open().key("ok").boolean(true);
  if (grant) json.key("promotedAt").text(to_rfc3339(outcome->at));
  json.close();
  co_return json_response(std::move(json));
}

}  // namespace

Task<http::Response> handle_promote_admin(Call call) {
  return change_role(std::move(call), "promoteAdmin", core::Role::admin, true);
}
Task<http::Response> handle_demote_admin(Call call) {
  return change_role(std::move(call), "demoteAdmin", core::Role::admin, false);
}
Task<http::Response> handle_promote_moderator(Call call) {
  return change_role(std::move(call), "promoteModerator", core::Role::moderator, true);
}
Task<http::Response> handle_demote_moderator(Call call) {
  return change_role(std::move(call), "demoteModerator", core::Role::moderator, false);
}

// The warning is a notice in the conversation's log, which is what the server tracks. What the
// warned member's client shows is the admins' encrypted message: the server writes none.
Task<http::Response> handle_warn_member(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto asked = parse(*body, "warnMember", "memberDid");
  if (!asked) co_return error_response(asked.error());
  auto reason = text_within(body->fields(), "reason", core::reason_bytes_max);
  if (!reason) co_return error_response(reason.error());
  auto expires = maybe_time(body->fields(), "expiresAt");
  if (!expires) co_return error_response(expires.error());
  core::Command command;
  command.caller = call.caller;
  command.key = std::move(asked->key);
  command.what = core::WarnMember{
      .target = std::move(asked->target), .id = new_id(), .reason = std::move(*reason)};
  auto asking = ask(call.services, std::move(asked->convo), std::move(command));
  auto outcome = co_await asking;
  if (!outcome) co_return error_response(outcome.error());
  JsonWriter json;
  json.open().key("warningId").text(outcome->detail);
  json.key("deliveredAt").text(to_rfc3339(outcome->at)).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
