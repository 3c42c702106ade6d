// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/group_parts.hpp"
#include "xrpc/shapes.hpp"

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
  auto delivery = fields.maybe_text("delivery");
  if (!delivery) return std::unexpected(delivery.error());
  if (*delivery == "ephemeral") {
    return fail(Errc::not_implemented, "ephemeral delivery is not available yet");
  }
  if (*delivery && *delivery != "persistent") {
    return fail(Errc::invalid_request, "delivery must be persistent or ephemeral");
  }
  return {};
}

Result<core::SendMessage> parse(const Fields& fields) {
  auto id = fields.text("msgId");
  if (!id) return std::unexpected(id.error());
  if (!is_message_id(*id)) {
    return fail(Errc::invalid_request, "msgId must be a ULID or a UUID");
  }
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
  return core::SendMessage{.id = core::MsgId(std::move(*id)),
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
  JsonWriter json;
  // By msgId the answer names the request's own; by idempotencyKey the first request's.
  json.open().key("messageId").text(outcome->detail.empty() ? id : outcome->detail);
  json.key("receivedAt").text(to_rfc3339(outcome->at));
  json.key("seq").number(outcome->seq.value);
  json.key("epoch").number(outcome->epoch.value).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
