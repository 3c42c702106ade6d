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
  Call call;
  std::string_view method;
  PartNames names;
  core::ConvoId convo;
  std::vector<core::Did> declared;  // whom the request adds
  /// Puts the resolved parts into the command.
  std::move_only_function<decltype(core::Command::what)(core::GroupParts)> build;
};

/// `body` must be the parsed body of `change.call`.
Task<Result<core::Outcome>> change_group(GroupChange change, Body body);

}  // namespace catbird::xrpc
