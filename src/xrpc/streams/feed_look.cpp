// SPDX-License-Identifier: MIT
#include "xrpc/streams/feed_look.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace catbird::xrpc {

namespace {

Result<FeedEnd> end_of(storage::Reader& reader, const core::ConvoId& convo, const core::Did& user) {
  FeedEnd end;
  auto loaded = reader.load(convo);
  if (!loaded) return std::unexpected(loaded.error());
  const auto& members = loaded->state.members;
  const auto* member = members.find(user);
  if (member != nullptr && !member->active()) {
    end.after = member->join_seq;
    end.seq = members.left(*member)->seq;
  }
  using core::NoticeKind;
  const std::vector departures{NoticeKind::left, NoticeKind::removed};
  auto notice = storage::select_one<storage::NoticeRecord>(
      reader.tables(),
      {.where = {storage::where("convo_id", convo), storage::where("user_did", user),
                 storage::where_any("kind", departures)},
       .order = "position",
       .descending = true});
  if (!notice) return std::unexpected(notice.error());
  if (*notice) end.position = (*notice)->position;
  return end;
}

// Rows and notices in one order, up to where both are known.
Result<FeedLook> add_items(storage::Reader& reader, storage::LogQuery query, std::uint64_t newest,
                           FeedLook found) {
  auto until = newest;
  auto rows = reader.log(query);
  if (!rows) return std::unexpected(rows.error());
  std::vector<storage::NoticeRecord> notices;
  if (!query.convos.empty()) {
    auto selected = storage::select<storage::NoticeRecord>(
        reader.tables(),
        {.where = {storage::where_any("convo_id", query.convos),
                   storage::where("position", storage::Filter::Op::above, query.after)},
         .order = "position",
         .rows_max = query.rows_max});
    if (!selected) return std::unexpected(selected.error());
    notices = std::move(*selected);
  }
  // A list that may go on says nothing of what lies behind its last.
  if (notices.size() == query.rows_max) until = std::min(until, notices.back().position);
  if (!rows->empty() && !notices.empty() && rows->back().position < notices.back().position) {
    query.after = rows->back().position;
    query.rows_max = 1;
    auto next = reader.log(query);
    if (!next) return std::unexpected(next.error());
    if (!next->empty()) until = std::min(until, next->front().position - 1);
  }
  auto row = rows->begin();
  auto notice = notices.begin();
  const auto row_left = [&] { return row != rows->end() && row->position <= until; };
  const auto notice_left = [&] { return notice != notices.end() && notice->position <= until; };
  while (row_left() || notice_left()) {
    if (row_left() && (!notice_left() || row->position < notice->position)) {
      found.items.emplace_back(std::move(*row++));
    } else {
      found.items.emplace_back(std::move(*notice++));
    }
  }
  return found;
}

}  // namespace

// The log knows nothing of rosters, so each look reads the memberships as well, and after the end
// of the log as it was: whoever may read a row up to `newest` is a member by then, and rows of a
// conversation joined meanwhile keep their place in the order. Rows of a membership that is over
// are cut where it ended (A2), even before the hub's word of it arrives.
Result<FeedLook> look_at_log(storage::Reader& reader, const FeedScope& scope,
                             storage::LogQuery query, const FeedWindows& known) {
  auto newest = reader.last_position();
  if (!newest) return std::unexpected(newest.error());
  auto active = reader.windows(scope.user);
  if (!active) return std::unexpected(active.error());

  FeedLook found;
  std::set<std::string> present;
  for (auto& window : *active) {
    if (scope.only && window.convo != *scope.only) continue;
    present.insert(window.convo.value);
    query.convos.push_back(window.convo);
    const auto it = known.find(window.convo.value);
    if (it == known.end() || it->second < window.after) found.joined.push_back(std::move(window));
  }
  for (const auto& [convo, after] : known) {
    if (present.contains(convo)) continue;
    query.convos.emplace_back(convo);
    auto end = end_of(reader, core::ConvoId(convo), scope.user);
    if (!end) return std::unexpected(end.error());
    found.ended.emplace(convo, *end);
  }
  return add_items(reader, std::move(query), *newest, std::move(found));
}

}  // namespace catbird::xrpc
