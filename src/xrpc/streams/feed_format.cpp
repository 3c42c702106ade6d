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
    CborMap view;
    view.text("id", row.id.value).text("convoId", row.convo.value);
    view.bytes("ciphertext", *row.bytes);
    view.number("epoch", row.epoch.value).number("seq", row.seq.value);
    view.text("createdAt", to_rfc3339(row.at)).text("messageType", kind_name(row.kind));
    CborMap payload;
    payload.text("cursor", cursor).map("message", std::move(view));
    return frame("messageEvent", std::move(payload));
  }
  std::string info(std::string_view reason, std::string_view cursor) const override {
    CborMap payload;
    payload.text("cursor", cursor).text("info", reason);
    return frame("infoEvent", std::move(payload));
  }

 private:
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
