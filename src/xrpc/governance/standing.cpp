// SPDX-License-Identifier: MIT
#include "xrpc/governance/standing.hpp"

namespace catbird::xrpc {

RoleIn role_in(const core::Snapshot& convo, const core::Did& user) {
  const auto* member = convo.members.find(user);
  if (member == nullptr || !member->active()) return {};
  return {.member = true, .admin = member->admin, .moderator = member->moderator};
}

std::vector<core::Did> active_members(const core::Snapshot& convo) {
  std::vector<core::Did> members;
  for (const auto& member : convo.members.entries()) {
    if (member.active()) members.emplace_back(std::string(convo.members.name(member)));
  }
  return members;
}

Result<void> check_role(const core::Snapshot& convo, const core::Did& user, Needs needs,
                        Errc refusal) {
  const auto role = role_in(convo, user);
  if (!role.member) return fail(Errc::not_member);
  const bool enough =
      needs == Needs::member || role.admin || (needs == Needs::moderator && role.moderator);
  if (!enough) return fail(refusal);
  return {};
}

Result<void> check_role_at(storage::Reader& reader, const core::ConvoId& convo,
                           const core::Did& user, Needs needs, Errc refusal, Errc unseen) {
  auto loaded = reader.load(convo);
  if (!loaded) return std::unexpected(loaded.error());
  auto may = check_role(loaded->state, user, needs, refusal);
  if (!may && may.error().code == Errc::not_member) return fail(unseen);
  return may;
}

Wait<Result<core::Snapshot>> load_for(Services* services, core::ConvoId convo, core::Did user,
                                      Needs needs, Errc refusal) {
  return read<core::Snapshot>(services,
                              [convo = std::move(convo), user = std::move(user), needs,
                               refusal](storage::Reader& reader) -> Result<core::Snapshot> {
                                auto loaded = reader.load(convo);
                                if (!loaded) return std::unexpected(loaded.error());
                                if (auto may = check_role(loaded->state, user, needs, refusal);
                                    !may) {
                                  return std::unexpected(may.error());
                                }
                                return std::move(loaded->state);
                              });
}

}  // namespace catbird::xrpc
