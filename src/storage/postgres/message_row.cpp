// SPDX-License-Identifier: MIT
#include "storage/postgres/message_row.hpp"

#include "storage/postgres/sums.hpp"

#include <algorithm>

namespace catbird::storage::postgres {

Result<core::RowAppended> message_head(Connection& connection, const Rows& rows, int at) {
  core::RowAppended row;
  row.seq = core::Seq(rows.number(at, 1));
  row.epoch = core::Epoch(rows.number(at, 2));
  row.kind = static_cast<core::Kind>(rows.integer(at, 3));
  row.id = core::MsgId(rows.text(at, 4));
  if (!rows.is_null(at, 5)) row.base = core::Epoch(rows.number(at, 5));
  const auto tag = rows.blob(at, 6);
  std::copy_n(tag.begin(), std::min(row.tag.size(), tag.size()), row.tag.begin());
  row.committer = core::Did(rows.text(at, 7));
  row.at = Timestamp(rows.integer(at, 8));
  const auto sum = message_sum(rows.integer(at, 0), row, rows.integer(at, body_sum_column));
  if (rows.integer(at, 10) != sum) return std::unexpected(connection.corrupt("message"));
  return row;
}

}  // namespace catbird::storage::postgres
