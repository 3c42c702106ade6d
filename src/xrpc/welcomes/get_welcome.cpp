// SPDX-License-Identifier: MIT
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

// Reading does not consume: a Welcome waits until its device confirms it (K6).
Task<http::Response> handle_get_welcome(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());
  const auto device = with_device(call.caller, query->text("deviceId"));

  auto asking = access(call.services, *convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(seen.error());
  if (!seen->active) co_return error_response(Error{Errc::not_member, {}, {}, 0});
  auto reading = read<std::optional<storage::WelcomeView>>(
      call.services, [id = *convo, device, now = call.services->clock.now()](
                         storage::Reader& reader) { return reader.welcome(id, device, now); });
  auto welcome = co_await reading;
  if (!welcome) co_return error_response(welcome.error());
  if (!*welcome) co_return error_response(Error{Errc::welcome_not_found, {}, {}, 0});

  JsonWriter json;
  json.open().key("convoId").text(convo->value);
  json.key("welcome").base64(*(*welcome)->bytes);
  json.key("epoch").number((*welcome)->epoch.value).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
