// SPDX-License-Identifier: MIT
#include "xrpc/streams/open_feed.hpp"

#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"

#include <optional>
#include <string>
#include <utility>

namespace catbird::xrpc {

namespace {

struct Opening {
  FeedStart start;
  std::optional<bool> registered;  // the device, if one is named
};

Result<Opening> look(storage::Reader& reader, const FeedRequest& asked,
                     const std::string& incarnation) {
  Opening opening{.start = {.cursor = asked.cursor, .windows = {}}, .registered = {}};
  if (!asked.device.value.empty()) {
    // What its later removal, perhaps at another server, is told by (end_removed_devices).
    auto device = find_device(reader.tables(), {asked.user, asked.device});
    if (!device) return std::unexpected(device.error());
    opening.registered = device->has_value();
  }
  auto& start = opening.start;
  if (!start.cursor) {
    // "From now" is fixed before the client hears that it is connected.
    auto newest = reader.last_position();
    if (!newest) return std::unexpected(newest.error());
    start.cursor = StreamCursor{incarnation, *newest};
  }
  if (asked.only) return opening;
  auto windows = reader.windows(asked.user);
  if (!windows) return std::unexpected(windows.error());
  start.windows = std::move(*windows);
  return opening;
}

}  // namespace

Task<Result<std::shared_ptr<ConvoFeed>>> open_feed(Services* services, FeedRequest asked,
                                                   const FeedFormat* format) {
  // Subscribe first, then read who may see what: nothing can fall in between.
  std::vector<core::ConvoId> known;
  if (asked.only) known.push_back(*asked.only);
  auto live = services->hub.subscribe(asked.user, known, asked.only, asked.device);
  if (!live) {
    co_return std::unexpected(Error{Errc::rate_limited, "too many streams of one user", {}, 30});
  }
  auto reading = read<Opening>(
      services, [asked, incarnation = services->settings.incarnation](storage::Reader& reader) {
        return look(reader, asked, incarnation);
      });
  auto opening = co_await reading;
  if (!opening) co_return std::unexpected(opening.error());
  if (opening->registered) {
    services->hub.check_devices({{core::Caller{asked.user, asked.device}, *opening->registered}});
  }
  auto& start = opening->start;
  if (asked.only) {
    auto asking = access(services, *asked.only, asked.user);
    auto seen = co_await asking;
    if (!seen) co_return std::unexpected(seen.error());
    if (!seen->active) co_return fail(Errc::not_member);
    start.windows.push_back({*asked.only, seen->after});
  }
  co_return std::make_shared<ConvoFeed>(*services, FeedScope{asked.user, asked.only},
                                        std::move(live), std::move(start), *format);
}

}  // namespace catbird::xrpc
