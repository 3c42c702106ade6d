// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

// What a device that lost its state, or is new, should have: every conversation of its user, and
// whether the device itself is known to be in the group.
Task<http::Response> handle_get_expected_conversations(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  const auto device = with_device(call.caller, query->text("deviceId"));
  storage::ConvoQuery wanted;
  wanted.user = call.caller.user;
  auto reading = read<storage::ConvoPage>(
      call.services, [wanted](storage::Reader& reader) { return reader.convos(wanted); });
  auto page = co_await reading;
  if (!page) co_return error_response(page.error());

  JsonWriter json;
  json.open().key("conversations").open_list();
  for (const auto& convo : page->convos) {
    json.open().key("convoId").text(convo.id.value).key("name").text(convo.name);
    json.key("memberCount").number(convo.members.size()).key("shouldBeInGroup").boolean(true);
    const auto last = convo.last_message_at.value_or(convo.created_at);
    json.key("lastActivity").text(to_rfc3339(last));
    if (!device.device.value.empty()) {
      const bool there = in_group(convo, device);
      json.key("needsRejoin").boolean(!there).key("deviceInGroup").boolean(there);
    }
    json.close();
  }
  json.close_list().close();
  if (json.size() > core::page_bytes_max) {
    co_return error_response(
        Error{Errc::overloaded, "too many conversations for one answer", {}, 0});
  }
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
