// SPDX-License-Identifier: MIT
#pragma once

#include "storage/rows.hpp"
#include "storage/sqlite/database.hpp"

#include <string_view>
#include <vector>

namespace catbird::storage::sqlite {

/// All pointers of a user in a conversation, oldest first.
Result<std::vector<RecipientRow>> recipients_of(Database& database, RowHandle convo,
                                                const core::Did& user);
Result<void> insert_recipient(Database& database, const RecipientRow& row);
/// Ends a pending pointer: `state` is confirmed or superseded.
Result<void> end_recipient(Database& database, const RecipientRow& row, std::string_view state);

}  // namespace catbird::storage::sqlite
