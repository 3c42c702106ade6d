// SPDX-License-Identifier: MIT
#include "xrpc/shapes.hpp"

#include "auth/service_auth.hpp"
#include "core/limits.hpp"
#include "mls/verify.hpp"

#include <algorithm>

namespace catbird::xrpc {

namespace {
constexpr std::size_t convo_id_bytes_max = 128;
constexpr std::size_t device_id_bytes_max = 128;
constexpr std::size_t did_bytes_max = 2048;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  });
}
}  // namespace

Result<core::ConvoId> convo_id(std::string text) {
  if (text.empty() || text.size() > convo_id_bytes_max) {
    return fail(Errc::invalid_request, "convoId must have 1 to 128 characters");
  }
  if (is_hex(text)) {
    std::ranges::transform(text, text.begin(), [](char c) {
      return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    });
  }
  return core::ConvoId(std::move(text));
}

Result<core::ConvoId> convo_id_of(const Fields& fields) {
  auto text = fields.text("convoId");
  if (!text) return std::unexpected(text.error());
  return convo_id(std::move(*text));
}

Result<core::ConvoId> convo_id_of(const Query& query) {
  auto text = query.required("convoId");
  if (!text) return std::unexpected(text.error());
  return convo_id(std::move(*text));
}

Result<Address> address(std::string_view text) {
  const auto hash = text.find('#');
  const auto did = text.substr(0, hash);
  if (did.size() > did_bytes_max || !auth::is_valid_did(did)) return fail(Errc::invalid_did);
  Address out{core::Did(std::string(did)), std::nullopt};
  if (hash != std::string_view::npos) {
    const auto device = text.substr(hash + 1);
    if (device.empty() || device.size() > device_id_bytes_max) return fail(Errc::invalid_did);
    out.device = core::DeviceId(std::string(device));
  }
  return out;
}

Result<core::Did> user_of(const Fields& fields, std::string_view name) {
  auto text = fields.text(name);
  if (!text) return std::unexpected(text.error());
  auto who = address(*text);
  if (!who) return std::unexpected(who.error());
  return std::move(who->user);
}

Result<std::vector<core::Did>> users(const std::vector<std::string>& texts, std::size_t max) {
  if (texts.size() > max) return fail(Errc::too_many_dids);
  std::vector<core::Did> out;
  for (const auto& text : texts) {
    auto one = address(text);
    if (!one) return std::unexpected(one.error());
    out.push_back(std::move(one->user));
  }
  return out;
}

core::Caller with_device(core::Caller caller, const std::optional<std::string>& device_id) {
  if (caller.device.value.empty() && device_id && device_id->size() <= device_id_bytes_max) {
    caller.device = core::DeviceId(*device_id);
  }
  return caller;
}

std::string device_did(const core::Did& user, const core::DeviceId& device) {
  return user.value + "#" + device.value;
}

std::string_view kind_name(core::Kind kind) {
  switch (kind) {
    case core::Kind::commit:
      return "commit";
    case core::Kind::proposal:
      return "proposal";
    case core::Kind::app:
      break;
  }
  return "app";
}

std::string suite_name(std::uint16_t suite) {
  const auto* known = mls::suite_by_id(suite);
  return known != nullptr ? std::string(known->name) : std::to_string(suite);
}

void write_message_view(JsonWriter& json, const storage::Row& row) {
  json.open();
  json.key("id").text(row.id.value);
  json.key("convoId").text(row.convo.value);
  json.key("ciphertext").bytes(*row.bytes);
  json.key("epoch").number(row.epoch.value);
  json.key("seq").number(row.seq.value);
  json.key("createdAt").text(to_rfc3339(row.at));
  json.key("messageType").text(kind_name(row.kind));
  json.close();
}

void write_convo_view(JsonWriter& json, const storage::ConvoView& view) {
  json.open();
  json.key("id").text(view.id.value);
  json.key("conversationId").text(view.id.value);
  json.key("groupId").text(to_hex(view.group_id));
  json.key("creator").text(view.creator.value);
  json.key("members").open_list();
  for (const auto& member : view.members) {
    json.open();
    json.key("did").text(member.user.value);
    json.key("userDid").text(member.user.value);
    if (member.devices.size() == 1) json.key("deviceId").text(member.devices.front().value);
    json.key("joinedAt").text(to_rfc3339(member.joined_at));
    json.key("isAdmin").boolean(member.admin);
    if (member.moderator) json.key("isModerator").boolean(true);
    if (member.promoted_at) json.key("promotedAt").text(to_rfc3339(*member.promoted_at));
    json.close();
  }
  json.close_list();
  json.key("epoch").number(view.epoch.value);
  json.key("cipherSuite").text(suite_name(view.suite));
  json.key("createdAt").text(to_rfc3339(view.created_at));
  if (view.last_message_at) json.key("lastMessageAt").text(to_rfc3339(*view.last_message_at));
  json.key("unreadCount").number(view.unread);
  if (!view.name.empty()) json.key("metadata").open().key("name").text(view.name).close();
  json.close();
}

http::Response json_response(JsonWriter json) {
  http::Response response;
  response.body = json.take();
  return response;
}

http::Response success_response() {
  JsonWriter json;
  json.open().key("success").boolean(true).close();
  return json_response(std::move(json));
}

}  // namespace catbird::xrpc
