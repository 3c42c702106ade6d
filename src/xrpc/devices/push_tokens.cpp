// SPDX-License-Identifier: MIT
// registerDeviceToken, unregisterDeviceToken. Nothing is pushed yet: the token is kept, sealed,
// with a notice for the sender that is to come.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

using storage::PushNotice;
using storage::PushToken;

namespace {

Result<void> keep_token(storage::TableWriter& tables, const PushToken& token,
                        const std::optional<std::string>& name) {
  const core::Caller device{token.user, token.device};
  if (auto locked = tables.lock(devices_lock(token.user)); !locked) return locked;
  auto record = find_device(tables, device);
  if (!record) return std::unexpected(record.error());
  if (!*record) return fail(Errc::device_not_found);
  if (name && *name != (*record)->name) {
    auto after = **record;
    after.name = *name;
    if (auto done = replace(tables, **record, after); !done) return done;
  }
  if (auto done = put(tables, token); !done) return done;
  return put(tables, PushNotice{token.user, token.device, "token-registered", token.at});
}

}  // namespace

Task<http::Response> handle_register_device_token(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  const auto& fields = body->fields();
  auto id = text_within(fields, "deviceId", core::device_id_bytes_max);
  if (!id) co_return error_response(id.error());
  auto text = text_within(fields, "pushToken", core::push_token_bytes_max);
  if (!text) co_return error_response(text.error());
  auto name = maybe_text_within(fields, "deviceName", core::device_name_bytes_max);
  if (!name) co_return error_response(name.error());
  if (*name && !printable(**name)) {
    co_return error_response(
        Error{Errc::invalid_request, "deviceName holds control characters", {}, 0});
  }
  auto platform = maybe_one_of(fields, "platform", {"ios", "android", "web"});
  if (!platform) co_return error_response(platform.error());

  const core::Caller device{call.caller.user, core::DeviceId(std::move(*id))};
  PushToken token{.user = device.user,
                  .device = device.device,
                  .platform = platform->value_or("ios"),
                  .sealed = call.services->seal.seal(device, *text),
                  .at = call.services->clock.now()};
  auto writing = write<void>(call.services, [token = std::move(token),
                                             name = std::move(*name)](storage::UserWriter& writer) {
    return keep_token(writer.tables(), token, name);
  });
  auto kept = co_await writing;
  if (!kept) co_return error_response(kept.error());
  co_return success_response();
}

Task<http::Response> handle_unregister_device_token(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto id = text_within(body->fields(), "deviceId", core::device_id_bytes_max);
  if (!id) co_return error_response(id.error());
  const core::Caller device{call.caller.user, core::DeviceId(std::move(*id))};
  auto writing = write<void>(
      call.services, [device, now = call.services->clock.now()](storage::UserWriter& writer) {
        return forget_push_token(writer.tables(), device, now);
      });
  auto forgotten = co_await writing;
  if (!forgotten) co_return error_response(forgotten.error());
  co_return success_response();
}

}  // namespace catbird::xrpc
