// SPDX-License-Identifier: MIT
#pragma once

#include "social/blocks.hpp"
#include "xrpc/ask.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

// Who blocks whom among some users (docs/adr/0018). The lists are the users' own, on their data
// servers: what cannot be read in time is not known, and every caller says what it makes of that.

namespace catbird::xrpc {

/// So many users of one change are looked up: who is added first, then who is there.
inline constexpr std::size_t block_check_users_max = 100;
inline constexpr const char* checks_off = "block checks are off on this server";

inline bool is_in(const std::vector<core::Did>& users, const core::Did& user) {
  return std::ranges::find(users, user) != users.end();
}

struct BlockBetween {
  core::Did blocker;
  core::Did blocked;
  std::string uri;
  Timestamp at;
};

struct BlocksAmong {
  std::vector<BlockBetween> blocks;
  bool complete = true;  // every list was read
};
/// All blocks among `users`, as far as their lists are read within `budget`.
Wait<BlocksAmong> blocks_among(Services* services, std::vector<core::Did> users,
                               std::chrono::milliseconds budget);
/// The list of one user as it is now.
Wait<Result<social::BlockListPtr>> block_list_now(Services* services, const core::Did& user);

/// Refuses with `refusal` where somebody of `added` blocks or is blocked by anyone of `present` and
/// `added`. What is not known refuses nobody: a conversation does not stand still because a data
/// server elsewhere does.
Task<Result<void>> check_blocks(Services* services, std::vector<core::Did> present,
                                std::vector<core::Did> added, Errc refusal);

/// check_blocks() for a new conversation; nothing to say of one that is there already.
Task<Result<void>> check_blocks_of_creation(Services* services, core::ConvoId convo,
                                            core::Did creator, std::vector<core::Did> members);
/// The same for new members; whoever is there already counts as present.
Task<Result<void>> check_blocks_of_addition(Services* services, core::ConvoId convo,
                                            core::Did caller, std::vector<core::Did> added);

}  // namespace catbird::xrpc
