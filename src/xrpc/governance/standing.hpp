// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"
#include "storage/reader.hpp"
#include "xrpc/ask.hpp"

// What a user is in a conversation, for methods that are no commands of it: reports, invites,
// policy. Read from the store: whoever lost the role a moment ago may still be answered.

namespace catbird::xrpc {

struct RoleIn {
  bool member = false;
  bool admin = false;
  bool moderator = false;
};
RoleIn role_in(const core::Snapshot& convo, const core::Did& user);

/// Who may do it; everyone else is not_member, or refused with `refusal`.
enum class Needs : std::uint8_t { member, moderator, admin };
Result<void> check_role(const core::Snapshot& convo, const core::Did& user, Needs needs,
                        Errc refusal);

/// The conversation as stored, if `user` may do what `needs` says there.
Wait<Result<core::Snapshot>> load_for(Services* services, core::ConvoId convo, core::Did user,
                                      Needs needs, Errc refusal);

}  // namespace catbird::xrpc
