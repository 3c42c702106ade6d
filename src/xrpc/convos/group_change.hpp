// SPDX-License-Identifier: MIT
#pragma once

#include "xrpc/ask.hpp"
#include "xrpc/endpoint.hpp"
#include "xrpc/group_parts.hpp"

#include <functional>
#include <string_view>

namespace catbird::xrpc {

/// What the four methods that change a group have in common: parse the parts, read what the store
/// knows of the key packages, ask.
struct GroupChange {
  Services* services = nullptr;
  core::Caller caller;
  std::string_view method;
  PartNames names;
  core::ConvoId convo;
  std::vector<core::Did> declared;  // whom the request adds
  /// Puts the resolved parts into the command.
  std::move_only_function<decltype(core::Command::what)(core::GroupParts)> build;
};

/// A change of the conversation that `fields` names; the caller fills in the rest.
Result<GroupChange> begin_change(const Call& call, std::string_view method, const Fields& fields);

/// resolve_parts() on a reader thread; no detour where the parts name no key packages.
Task<Result<core::GroupParts>> resolve(Services* services, core::Did caller, ParsedParts parsed,
                                       std::vector<core::Did> declared);

/// {success, newEpoch}: on every success, replays included (contract README 3).
http::Response success_with_epoch(core::Epoch epoch);

/// `body` must be the parsed body of the request.
Task<Result<core::Outcome>> change_group(GroupChange change, Body body);

}  // namespace catbird::xrpc
