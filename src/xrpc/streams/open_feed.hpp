// SPDX-License-Identifier: MIT
#pragma once

#include "xrpc/streams/convo_feed.hpp"
#include "xrpc/task.hpp"

#include <memory>
#include <optional>

namespace catbird::xrpc {

/// What a client asks of a stream.
struct FeedRequest {
  core::Did user;
  std::optional<core::ConvoId> only;   // must be a member
  std::optional<StreamCursor> cursor;  // nothing: from now
  core::DeviceId device{};             // whose stream it is, if the caller says so
};
/// not_member, rate_limited (too many streams of one user).
Task<Result<std::shared_ptr<ConvoFeed>>> open_feed(Services* services, FeedRequest asked,
                                                   const FeedFormat* format);

}  // namespace catbird::xrpc
