// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"
#include "storage/tables/conversations.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What a stream reads of the store.

namespace catbird::xrpc {

/// What a stream shows: the user's conversations, or one of them.
struct FeedScope {
  core::Did user;
  std::optional<core::ConvoId> only;
};

using FeedItem = std::variant<storage::Row, storage::NoticeRecord>;
using FeedWindows = std::map<std::string, core::Seq>;  // by conversation: rows after are shown

/// A membership that is over, perhaps a later one than was known: what came before it, its last
/// readable row, and its own notice of the end (0: none).
struct FeedEnd {
  core::Seq after;
  core::Seq seq;
  std::uint64_t position = 0;
  friend bool operator==(const FeedEnd&, const FeedEnd&) = default;
};
using FeedEnds = std::map<std::string, FeedEnd>;  // by conversation

struct FeedLook {
  std::vector<FeedItem> items;          // by position
  std::vector<storage::Window> joined;  // memberships that were not known before
  FeedEnds ended;                       // known ones that are over
};
/// What follows `query.after` in the log of the conversations that the user is in, and in those of
/// `known`. Blocks: a reader thread.
Result<FeedLook> look_at_log(storage::Reader& reader, const FeedScope& scope,
                             storage::LogQuery query, const FeedWindows& known);

}  // namespace catbird::xrpc
