// SPDX-License-Identifier: MIT
#include "xrpc/streams/open_feed.hpp"

#include "xrpc/ask.hpp"

namespace catbird::xrpc {

Task<Result<std::shared_ptr<ConvoFeed>>> open_feed(Services* services, FeedRequest asked,
                                                   const FeedFormat* format) {
  // Subscribe first, then read who may see what: nothing can fall in between.
  std::vector<core::ConvoId> known;
  if (asked.only) known.push_back(*asked.only);
  auto live = services->hub.subscribe(asked.user, known, asked.only, asked.device);
  if (!live) {
    co_return std::unexpected(Error{Errc::rate_limited, "too many streams of one user", {}, 30});
  }
  auto reading = read<FeedStart>(services,
                                 [asked, incarnation = services->settings.incarnation](
                                     storage::Reader& reader) -> Result<FeedStart> {
                                   FeedStart start{.cursor = asked.cursor, .windows = {}};
                                   if (!start.cursor) {
                                     // "From now" is fixed before the client hears that it is
                                     // connected.
                                     auto newest = reader.last_position();
                                     if (!newest) return std::unexpected(newest.error());
                                     start.cursor = StreamCursor{incarnation, *newest};
                                   }
                                   if (asked.only) return start;
                                   auto windows = reader.windows(asked.user);
                                   if (!windows) return std::unexpected(windows.error());
                                   start.windows = std::move(*windows);
                                   return start;
                                 });
  auto start = co_await reading;
  if (!start) co_return std::unexpected(start.error());
  if (asked.only) {
    auto asking = access(services, *asked.only, asked.user);
    auto seen = co_await asking;
    if (!seen) co_return std::unexpected(seen.error());
    if (!seen->active) co_return fail(Errc::not_member);
    start->windows.push_back({*asked.only, seen->after});
  }
  co_return std::make_shared<ConvoFeed>(*services, FeedScope{asked.user, asked.only},
                                        std::move(live), std::move(*start), *format);
}

}  // namespace catbird::xrpc
