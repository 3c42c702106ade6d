// SPDX-License-Identifier: MIT
#include "xrpc/streams/open_feed.hpp"

#include "xrpc/ask.hpp"

namespace catbird::xrpc {

Task<Result<std::shared_ptr<ConvoFeed>>> open_feed(Services* services, FeedRequest asked,
                                                   const FeedFormat* format) {
  // Subscribe first, then read who may see what: nothing can fall in between.
  std::vector<core::ConvoId> known;
  if (asked.only) known.push_back(*asked.only);
  FeedStart start{.cursor = asked.cursor, .windows = {}};
  auto live = services->hub.subscribe(asked.user, known, asked.only);
  if (!live) {
    co_return std::unexpected(Error{Errc::rate_limited, "too many streams of one user", {}, 30});
  }
  if (!asked.cursor) {
    // "From now" is fixed before the client hears that it is connected.
    auto reading = read<std::uint64_t>(
        services, [](storage::Reader& reader) { return reader.last_position(); });
    auto newest = co_await reading;
    if (!newest) co_return std::unexpected(newest.error());
    start.cursor = StreamCursor{services->settings.incarnation, *newest};
  }
  if (asked.only) {
    auto asking = access(services, *asked.only, asked.user);
    auto seen = co_await asking;
    if (!seen) co_return std::unexpected(seen.error());
    if (!seen->active) co_return fail(Errc::not_member);
    start.windows.push_back({*asked.only, seen->after});
  } else {
    auto reading = read<std::vector<storage::Window>>(
        services, [user = asked.user](storage::Reader& reader) { return reader.windows(user); });
    auto windows = co_await reading;
    if (!windows) co_return std::unexpected(windows.error());
    start.windows = std::move(*windows);
  }
  co_return std::make_shared<ConvoFeed>(*services, FeedScope{asked.user, asked.only},
                                        std::move(live), std::move(start), *format);
}

}  // namespace catbird::xrpc
