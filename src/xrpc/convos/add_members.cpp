// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/blocks/block_check.hpp"
#include "xrpc/convos/group_change.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

namespace {

Result<GroupChange> parse(const Call& call, const Fields& fields) {
  auto change = begin_change(call, "addMembers", fields);
  if (!change) return change;
  auto texts = fields.maybe_texts("didList");
  if (!texts) return std::unexpected(texts.error());
  auto dids = users(*texts, core::add_dids_max);
  if (!dids) return std::unexpected(dids.error());
  change->declared = std::move(*dids);
  change->build = [declared = change->declared](core::GroupParts parts) {
    return core::AddMembers{declared, std::move(parts)};
  };
  return change;
}

}  // namespace

Task<http::Response> handle_add_members(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto change = parse(call, body->fields());
  if (!change) co_return error_response(change.error());
  const auto added = change->declared.size();
  auto checking =
      check_blocks_of_addition(call.services, change->convo, call.caller.user, change->declared);
  auto checked = co_await checking;
  if (!checked) co_return error_response(checked.error());
  auto changing = change_group(std::move(*change), std::move(*body));
  auto outcome = co_await changing;
  if (!outcome) co_return error_response(outcome.error());

  call.services->metrics.counter("mls_members_added_total", "Members added")
      .add(static_cast<double>(added));
  co_return success_with_epoch(outcome->epoch);
}

}  // namespace catbird::xrpc
