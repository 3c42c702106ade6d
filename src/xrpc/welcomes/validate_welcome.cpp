// SPDX-License-Identifier: MIT
// validateWelcome: whether the caller has the key package that a Welcome was made for.
// invalidateWelcome: it has not, or cannot use it; the next Welcome takes its place.
#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>

namespace catbird::xrpc {

namespace {

Result<std::vector<Bytes>> refs_of(const Bytes& bytes) {
  if (bytes.size() > core::blob_bytes_max) return fail(Errc::invalid_welcome, "it is too large");
  auto welcome = mls::read_welcome(bytes);
  if (!welcome) return fail(Errc::invalid_welcome, welcome.error().detail);
  std::vector<Bytes> refs;
  for (const auto& secret : welcome->secrets) {
    refs.emplace_back(secret.new_member.begin(), secret.new_member.end());
  }
  return refs;
}

/// The caller's package among those that the Welcome names.
Result<storage::KeyPackageFacts> choose(const std::vector<storage::KeyPackageFacts>& known,
                                        const core::Caller& caller) {
  if (known.empty()) return fail(Errc::no_such_key_package);
  const auto mine = std::ranges::find_if(known, [&](const auto& one) {
    return one.user == caller.user && (caller.device.value.empty() || one.device == caller.device);
  });
  if (mine == known.end()) return fail(Errc::recipient_mismatch);
  return *mine;  // used up by the commit that made the Welcome, usually
}

}  // namespace

Task<http::Response> handle_validate_welcome(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto bytes = body->fields().bytes("welcomeMessage");
  if (!bytes) co_return error_response(bytes.error());
  auto refs = refs_of(*bytes);
  if (!refs) co_return error_response(refs.error());
  using Known = std::vector<storage::KeyPackageFacts>;
  auto reading = read<Known>(
      call.services, [refs = std::move(*refs), now = call.services->clock.now()](
                         storage::Reader& reader) { return reader.find_key_packages(refs, now); });
  auto known = co_await reading;
  if (!known) co_return error_response(known.error());
  auto mine = choose(*known, call.caller);
  if (!mine) co_return error_response(mine.error());
  JsonWriter json;
  json.open().key("valid").boolean(true);
  json.key("keyPackageHash").text(to_hex(mine->hash));
  json.key("recipientDid").text(mine->user.value);
  json.key("reserved").boolean(mine->reserved_by.has_value()).close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_invalidate_welcome(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto convo = convo_id_of(body->fields());
  if (!convo) co_return error_response(convo.error());
  auto reason = text_within(body->fields(), "reason", core::reason_bytes_max);
  if (!reason) co_return error_response(reason.error());
  auto named = body->fields().maybe_text("deviceId");
  if (!named) co_return error_response(named.error());
  const auto device = with_device(call.caller, *named);

  auto asking = access(call.services, *convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen && seen.error().code != Errc::not_member) co_return error_response(seen.error());
  if (!seen || !seen->active) co_return error_response(Error{Errc::unauthorized, {}, {}, 0});
  auto writing = write<bool>(call.services, [id = *convo, device, now = call.services->clock.now()](
                                                storage::UserWriter& writer) {
    return writer.discard_welcome(id, device, now);
  });
  auto ended = co_await writing;
  if (!ended) co_return error_response(ended.error());
  if (!*ended) co_return error_response(Error{Errc::not_found, "no Welcome is waiting", {}, 0});
  call.services->metrics.counter("mls_welcomes_failed_total", "Welcomes a client could not process")
      .add();
  JsonWriter json;
  json.open().key("invalidated").boolean(true).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
