// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/convos/group_change.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

namespace {

Result<GroupChange> parse(const Call& call, const Fields& fields) {
  auto change = begin_change(call, "removeMember", fields);
  if (!change) return change;
  auto texts = fields.maybe_texts("targetDids");
  if (!texts) return std::unexpected(texts.error());
  auto single = fields.maybe_text("targetDid");
  if (!single) return std::unexpected(single.error());
  if (*single) texts->push_back(std::move(**single));
  if (texts->empty()) return fail(Errc::invalid_request, "targetDid is missing");
  auto targets = users(*texts, core::add_dids_max);
  if (!targets) return std::unexpected(targets.error());
  change->build = [targets = std::move(*targets)](core::GroupParts parts) {
    return core::RemoveMembers{targets, std::move(parts)};
  };
  return change;
}

}  // namespace

Task<http::Response> handle_remove_member(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto change = parse(call, body->fields());
  if (!change) co_return error_response(change.error());
  auto changing = change_group(std::move(*change), std::move(*body));
  auto outcome = co_await changing;
  if (!outcome) co_return error_response(outcome.error());

  JsonWriter json;
  json.open().key("ok").boolean(true);
  json.key("epochHint").number(outcome->epoch.value);
  json.key("newEpoch").number(outcome->epoch.value).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
