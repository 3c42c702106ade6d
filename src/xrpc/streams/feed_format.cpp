// SPDX-License-Identifier: MIT
#include "xrpc/streams/feed_format.hpp"

#include "http/wire/websocket_frames.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/streams/cbor_writer.hpp"

namespace catbird::xrpc {

namespace {

std::string type_of(std::string_view nsid, std::string_view name) {
  return std::string(nsid).append("#").append(name);
}

std::string_view info_of(core::NoticeKind kind) {
  switch (kind) {
    case core::NoticeKind::joined:
    case core::NoticeKind::left:
    case core::NoticeKind::removed:
      return "membershipChanged";
    case core::NoticeKind::group_info_wanted:
      return "groupInfoRefreshRequested";
    case core::NoticeKind::readdition_wanted:
      return "readditionRequested";
    case core::NoticeKind::new_device:
      return "newDevice";
    case core::NoticeKind::block_conflict:
      return "blockConflict";
    default:
      return {};
  }
}

std::string_view action_of(core::NoticeKind kind) {
  if (kind == core::NoticeKind::joined) return "joined";
  return kind == core::NoticeKind::left ? "left" : "removed";
}

class SseFormat final : public FeedFormat {
 public:
  std::string hello() const override { return ": connected\n\n"; }
  std::string keepalive() const override { return ": keepalive\n\n"; }
  std::string message(const storage::Row& row, std::string_view cursor) const override {
    JsonWriter json;
    open(json, "messageEvent", cursor);
    json.key("message");
    write_message_view(json, row);
    return close(json);
  }
  std::string info(std::string_view reason, std::string_view cursor) const override {
    JsonWriter json;
    open(json, "infoEvent", cursor);
    json.key("info").text(reason).key("reason").text(reason);
    return close(json);
  }
  // The clients of this method know four types of events; an infoEvent makes them look.
  std::string notice(const storage::NoticeRecord& notice, std::string_view cursor) const override {
    const auto reason = info_of(notice.kind);
    if (reason.empty()) return {};
    JsonWriter json;
    open(json, "infoEvent", cursor);
    json.key("info").text(reason).key("reason").text(reason);
    json.key("convoId").text(notice.convo.value);
    if (notice.kind == core::NoticeKind::block_conflict) {
      json.key("did").text(notice.reference).key("blockerDid").text(notice.actor.value);
    } else {
      json.key("did").text(notice.user.value);
    }
    return close(json);
  }
  std::string whisper(const storage::Row& row, std::string_view cursor) const override {
    JsonWriter json;
    open(json, "messageEvent", cursor);
    json.key("ephemeral").boolean(true).key("message");
    write_message_view(json, row);
    return close(json);
  }

 private:
  static void open(JsonWriter& json, std::string_view type, std::string_view cursor) {
    json.open();
    json.key("$type").text(type_of("blue.catbird.mls.streamConvoEvents", type));
    json.key("type").text(type);
    json.key("cursor").text(cursor);
  }
  static std::string close(JsonWriter& json) {
    json.close();
    return "data: " + json.take() + "\n\n";
  }
};

class CborFormat final : public FeedFormat {
 public:
  std::string hello() const override { return {}; }
  std::string keepalive() const override { return http::ping_frame(); }
  std::string message(const storage::Row& row, std::string_view cursor) const override {
    return frame("messageEvent", message_payload(row, cursor));
  }
  std::string whisper(const storage::Row& row, std::string_view cursor) const override {
    auto payload = message_payload(row, cursor);
    payload.boolean("ephemeral", true);
    return frame("messageEvent", std::move(payload));
  }
  std::string notice(const storage::NoticeRecord& notice, std::string_view cursor) const override {
    CborMap payload;
    payload.text("cursor", cursor).text("convoId", notice.convo.value);
    switch (notice.kind) {
      case core::NoticeKind::joined:
      case core::NoticeKind::left:
      case core::NoticeKind::removed:
        payload.text("did", notice.user.value).text("action", action_of(notice.kind));
        payload.text("actor", notice.actor.value).number("epoch", notice.epoch.value);
        return frame("membershipChangeEvent", std::move(payload));
      case core::NoticeKind::group_info_wanted:
        payload.text("requestedBy", notice.user.value);
        payload.text("requestedAt", to_rfc3339(notice.at));
        return frame("groupInfoRefreshRequestedEvent", std::move(payload));
      case core::NoticeKind::readdition_wanted:
        payload.text("userDid", notice.user.value).text("requestedAt", to_rfc3339(notice.at));
        return frame("readditionRequestedEvent", std::move(payload));
      case core::NoticeKind::new_device:
        payload.text("userDid", notice.user.value).text("deviceId", notice.device.value);
        if (!notice.words.empty()) payload.text("deviceName", notice.words);
        payload.text("deviceCredentialDid", device_did(notice.user, notice.device));
        payload.text("pendingAdditionId", notice.reference);
        return frame("newDeviceEvent", std::move(payload));
      case core::NoticeKind::block_conflict:
        // No event of its own in v1; getBlockStatus says the rest.
        payload.text("info", info_of(notice.kind));
        return frame("infoEvent", std::move(payload));
      default:
        return {};
    }
  }
  std::string info(std::string_view reason, std::string_view cursor) const override {
    CborMap payload;
    payload.text("cursor", cursor).text("info", reason);
    return frame("infoEvent", std::move(payload));
  }

 private:
  static CborMap message_payload(const storage::Row& row, std::string_view cursor) {
    CborMap view;
    view.text("id", row.id.value).text("convoId", row.convo.value);
    view.bytes("ciphertext", *row.bytes);
    view.number("epoch", row.epoch.value).number("seq", row.seq.value);
    view.text("createdAt", to_rfc3339(row.at)).text("messageType", kind_name(row.kind));
    CborMap payload;
    payload.text("cursor", cursor).map("message", std::move(view));
    return payload;
  }
  // `t` in full: the form that every generation of clients understands.
  static std::string frame(std::string_view type, CborMap payload) {
    CborMap header;
    header.number("op", 1).text("t", type_of("blue.catbird.mls.subscribeConvoEvents", type));
    auto bytes = header.take();
    const auto rest = payload.take();
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return http::binary_frame(bytes);
  }
};

}  // namespace

const FeedFormat& sse_format() {
  static const SseFormat format;
  return format;
}

const FeedFormat& cbor_format() {
  static const CborFormat format;
  return format;
}

}  // namespace catbird::xrpc
