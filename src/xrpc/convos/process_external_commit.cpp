// SPDX-License-Identifier: MIT
#include "xrpc/convos/group_change.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

Task<http::Response> handle_process_external_commit(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto begun = begin_change(call, "processExternalCommit", body->fields());
  if (!begun) co_return error_response(begun.error());
  auto change = std::move(*begun);
  change.names = {.commit = "externalCommit", .external = true};
  change.build = [](core::GroupParts parts) { return core::ExternalCommit{std::move(parts)}; };
  auto changing = change_group(std::move(change), std::move(*body));
  auto outcome = co_await changing;
  if (!outcome) co_return error_response(outcome.error());

  JsonWriter json;
  json.open().key("epoch").number(outcome->epoch.value);
  json.key("newEpoch").number(outcome->epoch.value);
  json.key("rejoinedAt").text(to_rfc3339(outcome->at)).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
