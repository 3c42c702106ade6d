// SPDX-License-Identifier: MIT
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/streams/convo_feed.hpp"

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
  const auto& user = call.caller.user;

  // Subscribe first, then read who may see what: nothing can fall in between.
  std::vector<core::ConvoId> known;
  if (input->only) known.push_back(*input->only);
  FeedStart start{.cursor = input->cursor, .windows = {}};
  auto live = call.services->hub.subscribe(user, known, input->only);
  if (!live) {
    co_return error_response(Error{Errc::rate_limited, "too many streams of one user", {}, 30});
  }
  if (input->only) {
    auto asking = access(call.services, *input->only, user);
    auto seen = co_await asking;
    if (!seen) co_return error_response(seen.error());
    if (!seen->active) co_return error_response(Error{Errc::not_member, {}, {}, 0});
    start.windows.push_back({*input->only, seen->after});
  } else {
    auto reading = read<std::vector<storage::Window>>(
        call.services, [user](storage::Reader& reader) { return reader.windows(user); });
    auto windows = co_await reading;
    if (!windows) co_return error_response(windows.error());
    start.windows = std::move(*windows);
  }
  co_return stream_of(std::make_shared<ConvoFeed>(*call.services, FeedScope{user, input->only},
                                                  std::move(live), std::move(start)));
}

}  // namespace catbird::xrpc
