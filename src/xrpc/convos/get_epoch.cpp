// SPDX-License-Identifier: MIT
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

// From the actor's memory, without a database query (mission 7).
Task<http::Response> handle_get_epoch(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());

  auto asking = access(call.services, *convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(seen.error());
  if (!seen->active) co_return error_response(Error{Errc::not_member, {}, {}, 0});
  JsonWriter json;
  json.open().key("convoId").text(convo->value);
  json.key("currentEpoch").number(seen->epoch.value).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
