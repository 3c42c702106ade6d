// SPDX-License-Identifier: MIT
#pragma once

#include "core/events.hpp"
#include "storage/postgres/connection.hpp"
#include "storage/postgres/rows.hpp"

namespace catbird::storage::postgres {

/// A row of `message` without its body, verified against its checksum. The query selects, first of
/// all: convo, seq, epoch, kind, msg_id, base_epoch, sender_tag, committer, at, body_sum, checksum.
Result<core::RowAppended> message_head(Connection& connection, const Rows& rows, int at);
/// Of those: XXH3-64 of the body.
inline constexpr int body_sum_column = 9;

}  // namespace catbird::storage::postgres
