// SPDX-License-Identifier: MIT
#include "obs/log.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

// success=true ends the caller's Welcome; again is fine. success=false keeps it, so that the
// client may try once more or ask to be added again (DECISIONS 15).
Task<http::Response> handle_confirm_welcome(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto convo = convo_id_of(body->fields());
  if (!convo) co_return error_response(convo.error());
  auto success = body->fields().boolean("success");
  if (!success) co_return error_response(success.error());
  auto named = body->fields().maybe_text("deviceId");
  if (!named) co_return error_response(named.error());
  const auto device = with_device(call.caller, *named);

  auto asking = access(call.services, *convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(seen.error());
  if (!seen->active) co_return error_response(Error{Errc::not_member, {}, {}, 0});
  if (*success) {
    auto writing = write<bool>(
        call.services,
        [id = *convo, device, now = call.services->clock.now()](storage::UserWriter& writer) {
          return writer.confirm_welcome(id, device, now);
        });
    auto confirmed = co_await writing;
    if (!confirmed) co_return error_response(confirmed.error());
  } else {
    call.services->metrics
        .counter("mls_welcomes_failed_total", "Welcomes a client could not process")
        .add();
    obs::log(obs::Level::warn, "catbird_server::welcomes", "a client could not process its Welcome",
             {{"convo", obs::log_id(convo->value)}});
  }
  JsonWriter json;
  json.open().key("confirmed").boolean(true).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
