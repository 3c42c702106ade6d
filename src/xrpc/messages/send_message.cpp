// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/group_parts.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>

namespace catbird::xrpc {

namespace {

constexpr std::size_t ulid_characters = 26;
constexpr std::size_t uuid_characters = 36;

bool is_message_id(std::string_view id) {
  if (id.size() != ulid_characters && id.size() != uuid_characters) return false;
  return std::ranges::all_of(id, [&](char c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return alnum || (c == '-' && id.size() == uuid_characters);
  });
}

Result<core::Kind> kind_of(const mls::MlsMessage& message, ByteView& group, std::uint64_t& epoch) {
  if (const auto* hidden = std::get_if<mls::PrivateMessage>(&message.body)) {
    group = hidden->group_id;
    epoch = hidden->epoch;
    if (hidden->content_type == mls::ContentType::application) return core::Kind::app;
    if (hidden->content_type == mls::ContentType::proposal) return core::Kind::proposal;
  } else if (const auto* plain = std::get_if<mls::PublicMessage>(&message.body)) {
    group = plain->group_id;
    epoch = plain->epoch;
    // RFC 9420 §6: application data must be a PrivateMessage. Proposals of strangers are not for
    // this method: a caller speaks for its own leaf.
    if (plain->content_type == mls::ContentType::proposal &&
        plain->sender.type == mls::SenderType::member) {
      return core::Kind::proposal;
    }
  }
  return fail(Errc::invalid_request,
              "ciphertext must hold an application message or a member's proposal");
}

Result<void> check_frame(const Fields& fields, const Bytes& ciphertext) {
  if (ciphertext.size() > core::blob_bytes_max) return fail(Errc::message_too_large);
  auto padded = fields.maybe_integer("paddedSize");
  if (!padded) return std::unexpected(padded.error());
  if (*padded && **padded != static_cast<std::int64_t>(ciphertext.size())) {
    return fail(Errc::invalid_request, "paddedSize is not the size of ciphertext");
  }
  return {};
}

Result<core::MsgId> message_id(const Fields& fields) {
  auto id = fields.text("msgId");
  if (!id) return std::unexpected(id.error());
  if (!is_message_id(*id)) {
    return fail(Errc::invalid_request, "msgId must be a ULID or a UUID");
  }
  return core::MsgId(std::move(*id));
}

http::Response answer(std::string_view id, Timestamp at, core::Seq seq, core::Epoch epoch) {
  JsonWriter json;
  json.open().key("messageId").text(id).key("receivedAt").text(to_rfc3339(at));
  json.key("seq").number(seq.value).key("epoch").number(epoch.value).close();
  return json_response(std::move(json));
}

// Typing and the like: no epoch, no MLS, no number, not stored; to those who listen now (L7).
Task<http::Response> whisper(Call call, core::ConvoId convo, Body body) {
  auto id = message_id(body.fields());
  if (!id) co_return error_response(id.error());
  auto bytes = body.fields().bytes("ciphertext");
  if (!bytes) co_return error_response(bytes.error());
  if (bytes->size() > core::ephemeral_bytes_max) {
    co_return error_response(Error{Errc::message_too_large, {}, {}, 0});
  }
  if (auto checked = check_frame(body.fields(), *bytes); !checked) {
    co_return error_response(checked.error());
  }
  auto asking = access(call.services, convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(seen.error());
  if (!seen->active) co_return error_response(Error{Errc::not_member, {}, {}, 0});
  const auto at = core::blurred(call.services->clock.now());
  std::vector<realtime::LogEvent> events;
  events.emplace_back(realtime::Whisper{.convo = std::move(convo),
                                        .seq = seen->last_seq,
                                        .epoch = seen->epoch,
                                        .id = *id,
                                        .at = at,
                                        .bytes = make_blob(std::move(*bytes))});
  call.services->hub.publish(std::move(events));
  co_return answer(id->value, at, seen->last_seq, seen->epoch);
}

Result<core::SendMessage> parse(const Fields& fields) {
  auto id = message_id(fields);
  if (!id) return std::unexpected(id.error());
  auto ciphertext = fields.bytes("ciphertext");
  if (!ciphertext) return std::unexpected(ciphertext.error());
  if (auto checked = check_frame(fields, *ciphertext); !checked) {
    return std::unexpected(checked.error());
  }
  auto epoch = fields.integer("epoch");
  if (!epoch) return std::unexpected(epoch.error());

  auto bytes = make_blob(std::move(*ciphertext));
  auto inner = mls::strip_padding(*bytes);
  if (!inner) return std::unexpected(inner.error());
  auto message = mls::parse_message(*inner);
  if (!message) return std::unexpected(message.error());
  ByteView group;
  std::uint64_t inside = 0;
  auto kind = kind_of(*message, group, inside);
  if (!kind) return std::unexpected(kind.error());
  if (*epoch < 0 || static_cast<std::uint64_t>(*epoch) != inside) {
    return fail(Errc::invalid_request, "epoch is not the one inside the MLS message");
  }
  return core::SendMessage{.id = std::move(*id),
                           .kind = *kind,
                           .group_id = Bytes(group.begin(), group.end()),
                           .epoch = core::Epoch(inside),
                           .bytes = std::move(bytes)};
}

}  // namespace

Task<http::Response> handle_send_message(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto convo = convo_id_of(body->fields());
  if (!convo) co_return error_response(convo.error());
  auto delivery = maybe_one_of(body->fields(), "delivery", {"persistent", "ephemeral"});
  if (!delivery) co_return error_response(delivery.error());
  if (*delivery == "ephemeral") {
    auto whispering = whisper(std::move(call), std::move(*convo), std::move(*body));
    co_return co_await whispering;
  }
  auto send = parse(body->fields());
  if (!send) co_return error_response(send.error());
  auto key = request_key(*body, "sendMessage", {});
  if (!key) co_return error_response(key.error());

  core::Command command;
  command.caller = call.caller;
  command.tag = call.services->tags.of(*convo, call.caller.user);
  command.key = std::move(*key);
  const auto id = send->id.value;
  command.what = std::move(*send);
  auto asked = ask(call.services, std::move(*convo), std::move(command));
  auto outcome = co_await asked;
  // Clients switch on the plain status here, so the name is an undeclared one (DECISIONS 11).
  if (!outcome) co_return error_response(outcome.error(), "Conflict");

  call.services->metrics.counter("mls_messages_sent_total", "Messages accepted").add();
  // By msgId the answer names the request's own; by idempotencyKey the first request's.
  co_return answer(outcome->detail.empty() ? id : outcome->detail, outcome->at, outcome->seq,
                   outcome->epoch);
}

}  // namespace catbird::xrpc
