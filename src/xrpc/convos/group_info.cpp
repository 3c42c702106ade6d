// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

// updateGroupInfo and getGroupInfo: the public state by which a member comes back (RFC 9420
// §12.4.3). Only that of the current epoch is taken or served (RFC 9750 §5.3).

namespace catbird::xrpc {

namespace {

constexpr std::int64_t group_info_hint_ms = 3600LL * 1000;  // clients refresh hourly

struct Update {
  core::ConvoId convo;
  core::GroupInfoPart part;
};

Result<Update> parse(const Fields& fields) {
  auto convo = convo_id_of(fields);
  if (!convo) return std::unexpected(convo.error());
  auto bytes = fields.bytes("groupInfo");
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->size() > core::blob_bytes_max) return fail(Errc::message_too_large);
  auto epoch = fields.maybe_integer("epoch");
  if (!epoch) return std::unexpected(epoch.error());
  auto shared = make_blob(std::move(*bytes));
  auto info = mls::read_group_info(*shared);
  if (!info) return fail(Errc::invalid_group_info, info.error().detail);
  if (*epoch && (**epoch < 0 || static_cast<std::uint64_t>(**epoch) != info->context.epoch)) {
    return fail(Errc::invalid_group_info, "epoch is not the one inside the GroupInfo");
  }
  const auto group = info->context.group_id;
  return Update{std::move(*convo),
                {shared, Bytes(group.begin(), group.end()), core::Epoch(info->context.epoch)}};
}

// Who may not see a GroupInfo is told `Unauthorized`, as the lexicon names it.
Error as_unauthorized(Error error) {
  if (error.code == Errc::not_member) error.code = Errc::unauthorized;
  return error;
}

}  // namespace

Task<http::Response> handle_update_group_info(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto update = parse(body->fields());
  if (!update) co_return error_response(update.error());

  core::Command command;
  command.caller = call.caller;
  command.what = core::UpdateGroupInfo{std::move(update->part)};
  auto asked = ask(call.services, update->convo, std::move(command));
  auto outcome = co_await asked;
  if (!outcome) co_return error_response(outcome.error());

  JsonWriter json;
  json.open().key("updated").boolean(true).close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_get_group_info(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());

  auto asking = access(call.services, *convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(as_unauthorized(seen.error()));
  if (!seen->active) co_return error_response(Error{Errc::unauthorized, {}, {}, 0});
  auto reading = read<std::optional<storage::GroupInfoView>>(
      call.services, [id = *convo](storage::Reader& reader) { return reader.group_info(id); });
  auto info = co_await reading;
  if (!info) co_return error_response(info.error());
  // A newer one than the epoch just seen is current too: a commit came in between.
  if (!*info || (*info)->epoch < seen->epoch) {
    co_return error_response(Error{Errc::group_info_unavailable, {}, {}, 0});
  }
  const auto expires = Timestamp(call.services->clock.now().value + group_info_hint_ms);
  JsonWriter json;
  json.open().key("groupInfo").base64(*(*info)->bytes);
  json.key("epoch").number((*info)->epoch.value);
  json.key("expiresAt").text(to_rfc3339(expires)).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
