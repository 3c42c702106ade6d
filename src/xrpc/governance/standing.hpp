// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"
#include "storage/reader.hpp"
#include "xrpc/ask.hpp"

#include <utility>
#include <vector>

// What a user is in a conversation, for methods that are no commands of it: reports, invites,
// policy. Read from the store: whoever lost the role a moment ago may still be answered.

namespace catbird::xrpc {

struct RoleIn {
  bool member = false;
  bool admin = false;
  bool moderator = false;
};
RoleIn role_in(const core::Snapshot& convo, const core::Did& user);
std::vector<core::Did> active_members(const core::Snapshot& convo);

/// Who may do it; everyone else is not_member, or refused with `refusal`.
enum class Needs : std::uint8_t { member, moderator, admin };
Result<void> check_role(const core::Snapshot& convo, const core::Did& user, Needs needs,
                        Errc refusal);

/// The same for something that belongs to `convo`: to a stranger it does not exist (`unseen`).
Result<void> check_role_at(storage::Reader& reader, const core::ConvoId& convo,
                           const core::Did& user, Needs needs, Errc refusal, Errc unseen);

/// The conversation as stored, if `user` may do what `needs` says there.
Wait<Result<core::Snapshot>> load_for(Services* services, core::ConvoId convo, core::Did user,
                                      Needs needs, Errc refusal);

/// The rows of `wanted` that belong to `convo`, for whoever may do what `needs` says there.
template <class T>
Wait<Result<std::vector<T>>> list_for(Services* services, core::ConvoId convo, core::Did user,
                                      Needs needs, Errc refusal, storage::Selection wanted) {
  wanted.where.push_back(storage::where("convo_id", convo));
  return read<std::vector<T>>(
      services,
      [convo = std::move(convo), user = std::move(user), needs, refusal,
       wanted = std::move(wanted)](storage::Reader& reader) -> Result<std::vector<T>> {
        auto may = check_role_at(reader, convo, user, needs, refusal, Errc::not_member);
        if (!may) return std::unexpected(may.error());
        return storage::select<T>(reader.tables(), wanted);
      });
}

/// Stores a record whose id was made for it.
template <class T>
Wait<Result<void>> add_record(Services* services, T record) {
  return write<void>(services,
                     [record = std::move(record)](storage::UserWriter& writer) -> Result<void> {
                       return insert_new(writer.tables(), record);
                     });
}

}  // namespace catbird::xrpc
