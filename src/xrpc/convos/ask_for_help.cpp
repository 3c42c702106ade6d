// SPDX-License-Identifier: MIT
// groupInfoRefresh, readdition, rejoin: a member whose MLS state is lost or behind asks the others.
// The request is a notice in the log, so that whoever connects later still hears of it.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/group_parts.hpp"
#include "xrpc/key_packages/upload.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

namespace {

using With = core::AskForHelp::With;

Result<core::Command> command_of(const Call& call, const Body& body, std::string_view method,
                                 With with) {
  auto key = request_key(body, method, {});
  if (!key) return std::unexpected(key.error());
  core::Command command;
  command.caller = call.caller;
  command.key = std::move(*key);
  command.what = core::AskForHelp{.with = with, .id = new_id()};
  return command;
}

Task<http::Response> request_help(Call call, std::string_view method, With with) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto convo = convo_id_of(body->fields());
  if (!convo) co_return error_response(convo.error());
  auto command = command_of(call, *body, method, with);
  if (!command) co_return error_response(command.error());
  auto asking = ask(call.services, std::move(*convo), std::move(*command));
  auto outcome = co_await asking;
  if (!outcome) co_return error_response(outcome.error());
  JsonWriter json;
  json.open().key("requested").boolean(true);
  json.key("activeMembers").number(outcome->seq.value).close();
  co_return json_response(std::move(json));
}

}  // namespace

Task<http::Response> handle_group_info_refresh(Call call) {
  return request_help(std::move(call), "groupInfoRefresh", With::group_info);
}
Task<http::Response> handle_readdition(Call call) {
  return request_help(std::move(call), "readdition", With::readdition);
}

// The key package is published first: a member that hears of the request fetches it, adds it and
// sends the Welcome.
Task<http::Response> handle_rejoin(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  const auto& fields = body->fields();
  auto convo = convo_id_of(fields);
  if (!convo) co_return error_response(convo.error());
  auto reason = maybe_text_within(fields, "reason", core::reason_bytes_max);
  if (!reason) co_return error_response(reason.error());
  auto bytes = fields.bytes("keyPackage");
  if (!bytes) co_return error_response(bytes.error());
  const auto now = call.services->clock.now();
  auto upload = check_package(std::move(*bytes), call.caller, std::nullopt, now);
  if (!upload) co_return error_response(upload.error());
  auto command = command_of(call, *body, "rejoin", With::readdition);
  if (!command) co_return error_response(command.error());

  auto seeing = access(call.services, *convo, call.caller.user);
  auto seen = co_await seeing;
  if (!seen) co_return error_response(seen.error());
  auto writing = write<storage::PublishResult>(
      call.services, [upload = std::move(*upload), now](storage::UserWriter& writer) {
        return writer.publish(upload.owner, upload.package, now);
      });
  auto stored = co_await writing;
  if (!stored) co_return error_response(stored.error());
  if (*stored == storage::PublishResult::pool_full) {
    co_return error_response(Error{Errc::too_many_key_packages, {}, {}, 0});
  }
  auto asking = ask(call.services, std::move(*convo), std::move(*command));
  auto outcome = co_await asking;
  if (!outcome) co_return error_response(outcome.error());
  JsonWriter json;
  json.open().key("requestId").text(outcome->detail).key("pending").boolean(true).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
