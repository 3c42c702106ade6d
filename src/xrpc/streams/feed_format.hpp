// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"
#include "storage/tables/conversations.hpp"

#include <string>
#include <string_view>

namespace catbird::xrpc {

/// How a feed's events look on the wire. What each function gives is whole by itself, so that
/// several can be sent as one chunk. Stateless; shared by all feeds.
class FeedFormat {
 public:
  virtual ~FeedFormat() = default;
  /// The first thing sent; may be empty.
  virtual std::string hello() const = 0;
  virtual std::string keepalive() const = 0;
  virtual std::string message(const storage::Row& row, std::string_view cursor) const = 0;
  virtual std::string info(std::string_view reason, std::string_view cursor) const = 0;
  /// Empty for a kind that the clients of this method know nothing of.
  virtual std::string notice(const storage::NoticeRecord& notice,
                             std::string_view cursor) const = 0;
  /// An ephemeral message; its cursor is that of what came before.
  virtual std::string whisper(const storage::Row& row, std::string_view cursor) const = 0;
};

/// streamConvoEvents: server-sent events, JSON with `$type` and `type`.
const FeedFormat& sse_format();
/// subscribeConvoEvents: WebSocket frames, each a DAG-CBOR header and a DAG-CBOR payload. Only
/// types that this method's oldest decoders know; never an error frame, which kills them.
const FeedFormat& cbor_format();

}  // namespace catbird::xrpc
