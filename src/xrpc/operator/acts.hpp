// SPDX-License-Identifier: MIT
#pragma once

#include "xrpc/ask.hpp"

#include <set>
#include <string>

// What an operator may do to a user (docs/adr/0020). Each act is on record (storage::OperatorAct)
// and may be repeated. The text is for the operator, one line.

namespace catbird::xrpc {

/// Every method refuses the user from here on; its streams end and its tickets are void.
Task<Result<std::string>> suspend_user(Services* services, core::Did user, std::string reason);
Task<Result<std::string>> lift_suspension(Services* services, core::Did user, std::string reason);
/// Takes the user out of its conversations, as leaveConvo without a commit does, and away with all
/// that is kept for it beside them. What stays: the numbered rows, the rosters' history, reports,
/// and the names of used key packages (K3).
Task<Result<std::string>> erase_user(Services* services, core::Did user, std::string reason);
/// Who is suspended, and the newest acts, a line each.
Task<Result<std::string>> list_acts(Services* services);

/// Who is suspended. Blocks: a reader thread, or the start.
Result<std::set<std::string>> suspended_users(storage::Reader& reader);
/// Asks the store who is suspended, and ends the streams of those that are so since.
Task<Result<void>> refresh_suspensions(Services* services);

}  // namespace catbird::xrpc
