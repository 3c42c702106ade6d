// SPDX-License-Identifier: MIT
// getSubscriptionTicket, and the WebSocket it opens. A browser or phone connects to the server
// itself, without a service token: the ticket, got through the PDS a moment before, says who it is.
#include "base/digest.hpp"
#include "core/limits.hpp"
#include "http/websocket.hpp"
#include "storage/tables/accounts.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/streams/open_feed.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

using storage::SubscriptionTicket;
using storage::where;

namespace {

constexpr std::string_view method = "/xrpc/blue.catbird.mls.subscribeConvoEvents";

Bytes hash_of_ticket(std::string_view text) {
  const auto hash = sha256({view_of(text)});
  return {hash.begin(), hash.end()};
}

/// Where clients that read the answer connect to; others take the host of the did:web.
std::string endpoint_of(const ServiceSettings& settings) {
  if (!settings.websocket_endpoint.empty()) return settings.websocket_endpoint;
  auto base = settings.public_endpoint;
  constexpr std::string_view web = "did:web:";
  if (base.empty() && settings.service_did.starts_with(web)) {
    base = "https://" + settings.service_did.substr(web.size());
  }
  if (base.starts_with("http")) base.replace(0, 4, "ws");
  while (base.ends_with('/')) base.pop_back();
  return base.append(method);
}

Result<void> keep_ticket(storage::TableWriter& tables, const SubscriptionTicket& ticket,
                         Timestamp now) {
  // What this user never used goes here, so that tickets cannot pile up.
  auto old = storage::erase_rows<SubscriptionTicket>(
      tables, {.where = {where("user_did", ticket.user),
                         where("expires_at", storage::Filter::Op::below, now)}});
  if (!old) return old;
  auto added = insert(tables, ticket);
  if (!added) return std::unexpected(added.error());
  return {};
}

/// Good once: whoever erases the row has it.
Result<SubscriptionTicket> take_ticket(storage::TableWriter& tables, const Bytes& hash,
                                       Timestamp now) {
  auto found = storage::select_one<SubscriptionTicket>(tables, {.where = {where("ticket", hash)}});
  if (!found) return std::unexpected(found.error());
  if (!*found) return fail(Errc::unauthenticated, "the ticket is unknown, used or too old");
  if (auto done = erase(tables, **found); !done) return std::unexpected(done.error());
  if ((*found)->expires_at <= now) {
    return fail(Errc::unauthenticated, "the ticket is unknown, used or too old");
  }
  return std::move(**found);
}

// A cursor of another server, such as the one this replaces, is an old one: told so, then from now.
std::optional<StreamCursor> cursor_of(const Query& query) {
  const auto text = query.text("cursor");
  if (!text || text->empty()) return std::nullopt;
  auto cursor = decode_cursor(*text);
  return cursor ? std::move(*cursor) : StreamCursor{};
}

http::CloseReason close_reason(const std::string& end) {
  if (end == "slow-consumer") return {http::close_try_again, end};
  if (end == "removed" || end == "device-removed" || end == "suspended")
    return {http::close_policy, end};
  return {http::close_going_away, "come back with your cursor"};
}

}  // namespace

Task<http::Response> handle_get_subscription_ticket(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto named = body->fields().maybe_text("convoId");
  if (!named) co_return error_response(named.error());
  std::optional<core::ConvoId> convo;
  if (*named && !(*named)->empty()) {
    auto id = convo_id(std::move(**named));
    if (!id) co_return error_response(id.error());
    convo = std::move(*id);
    auto asking = access(call.services, *convo, call.caller.user);
    auto seen = co_await asking;
    if (!seen) co_return error_response(seen.error());
    if (!seen->active) co_return error_response(Error{Errc::not_member, {}, {}, 0});
  }
  const auto text = new_secret();
  const auto now = call.services->clock.now();
  const SubscriptionTicket ticket{.ticket = hash_of_ticket(text),
                                  .user = call.caller.user,
                                  .device = call.caller.device,
                                  .convo = std::move(convo),
                                  .expires_at = Timestamp(now.value + core::ticket_life_ms)};
  auto writing = write<void>(call.services, [ticket, now](storage::UserWriter& writer) {
    return keep_ticket(writer.tables(), ticket, now);
  });
  auto kept = co_await writing;
  if (!kept) co_return error_response(kept.error());
  JsonWriter json;
  json.open().key("ticket").text(text);
  json.key("endpoint").text(endpoint_of(call.services->settings));
  json.key("expiresAt").text(to_rfc3339(ticket.expires_at)).close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_subscribe_convo_events(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  FeedRequest asked;
  if (auto text = query->text("convoId"); text && !text->empty()) {
    auto convo = convo_id(std::move(*text));
    if (!convo) co_return error_response(convo.error());
    asked.only = std::move(*convo);
  }
  asked.cursor = cursor_of(*query);
  const auto text = query->text("ticket");
  if (!text || text->empty()) {
    co_return error_response(
        Error{Errc::unauthenticated, "a ticket of getSubscriptionTicket is needed", {}, 0});
  }
  if (call.request.websocket_key.empty()) {
    auto response = plain_error(426, "InvalidRequest", "this method is a WebSocket");
    response.headers.emplace_back("Upgrade", "websocket");
    co_return response;
  }
  auto writing = write<SubscriptionTicket>(
      call.services,
      [hash = hash_of_ticket(*text), now = call.services->clock.now()](
          storage::UserWriter& writer) { return take_ticket(writer.tables(), hash, now); });
  auto ticket = co_await writing;
  if (!ticket) co_return error_response(ticket.error());
  if (call.services->suspended.contains(ticket->user)) {
    co_return error_response(Error{Errc::account_suspended, {}, {}, 0});
  }
  const auto wait = call.services->limiter.take(ticket->user.value, RateClass::other,
                                                call.services->timers.now());
  if (wait != 0) co_return error_response(Error{Errc::rate_limited, {}, {}, wait});
  if (ticket->convo && asked.only && *asked.only != *ticket->convo) {
    co_return error_response(Error{Errc::not_member, "the ticket is for another one", {}, 0});
  }
  if (ticket->convo) asked.only = std::move(ticket->convo);
  asked.user = std::move(ticket->user);
  asked.device = std::move(ticket->device);

  auto opening = open_feed(call.services, std::move(asked), &cbor_format());
  auto feed = co_await opening;
  if (!feed) co_return error_response(feed.error());
  auto reason = [weak = std::weak_ptr<ConvoFeed>(*feed)] {
    const auto feed = weak.lock();
    return close_reason(feed ? feed->end_reason() : std::string());
  };
  co_return http::websocket_response(call.request.websocket_key, std::move(*feed),
                                     std::move(reason));
}

}  // namespace catbird::xrpc
