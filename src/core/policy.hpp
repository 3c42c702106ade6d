// SPDX-License-Identifier: MIT
#pragma once

#include "core/limits.hpp"

#include <cstdint>
#include <optional>

namespace catbird::core {

/// What the admins of a conversation allow its other members (lexicon updatePolicy). Admins may
/// always add, remove and invite.
struct Policy {
  bool allow_invites = true;
  bool admin_only_invites = true;
  bool allow_member_add = true;
  bool allow_member_remove = false;
  bool require_admin_approval = false;  // only an admin adds, whatever allow_member_add says
  std::uint16_t max_members = members_max;

  bool members_add() const { return allow_member_add && !require_admin_approval; }
  bool members_invite() const { return allow_invites && !admin_only_invites; }
  friend bool operator==(const Policy&, const Policy&) = default;
};

}  // namespace catbird::core
