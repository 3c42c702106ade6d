// SPDX-License-Identifier: MIT
#include "xrpc/streams/open_feed.hpp"

#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"

#include <utility>

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
  if (!asked.device.value.empty()) {
    // What its later removal, perhaps at another server, is told by (end_removed_devices).
    auto looking = read<bool>(
        services,
        [device = core::Caller{asked.user, asked.device}](storage::Reader& reader) -> Result<bool> {
          auto found = find_device(reader.tables(), device);
          if (!found) return std::unexpected(found.error());
          return found->has_value();
        });
    const auto registered = co_await looking;
    if (!registered) co_return std::unexpected(registered.error());
    services->hub.check_devices({{core::Caller{asked.user, asked.device}, *registered}});
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
