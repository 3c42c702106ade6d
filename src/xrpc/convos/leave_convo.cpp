// SPDX-License-Identifier: MIT
#include "xrpc/convos/group_change.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

namespace {

Result<GroupChange> parse(const Call& call, const Fields& fields) {
  auto change = begin_change(call, "leaveConvo", fields);
  if (!change) return change;
  auto named = fields.maybe_text("targetDid");
  if (!named) return std::unexpected(named.error());
  core::Did target = call.caller.user;
  if (*named) {
    auto parsed = address(**named);
    if (!parsed) return std::unexpected(parsed.error());
    target = std::move(parsed->user);
  }
  change->build = [target = std::move(target)](core::GroupParts parts) {
    return core::LeaveConvo{target, std::move(parts)};
  };
  return change;
}

}  // namespace

Task<http::Response> handle_leave_convo(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto change = parse(call, body->fields());
  if (!change) co_return error_response(change.error());
  auto changing = change_group(std::move(*change), std::move(*body));
  auto outcome = co_await changing;
  if (!outcome) co_return error_response(outcome.error());

  co_return success_with_epoch(outcome->epoch);
}

}  // namespace catbird::xrpc
