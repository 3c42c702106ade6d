// SPDX-License-Identifier: MIT
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/streams/open_feed.hpp"

namespace catbird::xrpc {

namespace {

struct Input {
  std::optional<core::ConvoId> only;
  std::optional<StreamCursor> cursor;
};

Result<Input> parse(const Query& query) {
  Input input;
  if (auto text = query.text("convoId"); text && !text->empty()) {
    auto convo = convo_id(std::move(*text));
    if (!convo) return std::unexpected(convo.error());
    input.only = std::move(*convo);
  }
  if (auto text = query.text("cursor"); text && !text->empty()) {
    auto cursor = decode_cursor(*text);
    if (!cursor) return std::unexpected(cursor.error());
    input.cursor = std::move(*cursor);
  }
  return input;
}

http::Response stream_of(std::shared_ptr<http::BodySource> feed) {
  http::Response response;
  response.content_type = "text/event-stream";
  response.headers.emplace_back("Cache-Control", "no-cache");
  response.headers.emplace_back("X-Accel-Buffering", "no");
  response.stream = std::move(feed);
  return response;
}

}  // namespace

Task<http::Response> handle_stream_convo_events(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto input = parse(*query);
  if (!input) co_return error_response(input.error());
  auto opening = open_feed(
      call.services,
      {call.caller.user, std::move(input->only), std::move(input->cursor), call.caller.device},
      &sse_format());
  auto feed = co_await opening;
  if (!feed) co_return error_response(feed.error());
  co_return stream_of(std::move(*feed));
}

}  // namespace catbird::xrpc
