// SPDX-License-Identifier: MIT
// getAdminStats: how much moderation a conversation has seen.
#include "storage/tables/conversations.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/governance/standing.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace catbird::xrpc {

using storage::BlockConflictRecord;
using storage::NoticeRecord;
using storage::ReportRecord;
using storage::Selection;
using storage::where;

namespace {

/// As reportMember takes it, and as the statistics name it.
constexpr auto categories = std::to_array<std::pair<std::string_view, std::string_view>>(
    {{"harassment", "harassment"},
     {"spam", "spam"},
     {"hate_speech", "hateSpeech"},
     {"violence", "violence"},
     {"sexual_content", "sexualContent"},
     {"impersonation", "impersonation"},
     {"privacy_violation", "privacyViolation"},
     {"other", "otherCategory"}});

struct Stats {
  std::uint64_t reports = 0;
  std::uint64_t pending = 0;
  std::array<std::uint64_t, categories.size()> by_category{};
  std::uint64_t removals = 0;
  std::uint64_t conflicts_resolved = 0;
};

Selection in(const core::ConvoId& convo, std::optional<Timestamp> since,
             std::vector<storage::Filter> more) {
  Selection wanted{.where = std::move(more)};
  wanted.where.push_back(where("convo_id", convo));
  if (since) {
    wanted.where.push_back(where("at", storage::Filter::Op::above, Timestamp(since->value - 1)));
  }
  return wanted;
}

/// An admin removed one of the two while the block was there.
Result<std::uint64_t> resolved_conflicts(storage::TableReader& tables, const core::ConvoId& convo,
                                         std::optional<Timestamp> since) {
  auto conflicts = storage::select<BlockConflictRecord>(tables, in(convo, since, {}));
  if (!conflicts) return std::unexpected(conflicts.error());
  std::uint64_t resolved = 0;
  for (const auto& conflict : *conflicts) {
    const std::vector<core::Did> both{conflict.blocker, conflict.blocked};
    auto wanted =
        in(convo, conflict.at,
           {where("kind", core::NoticeKind::removed), storage::where_any("user_did", both)});
    if (conflict.lifted_at) {
      wanted.where.push_back(where("at", storage::Filter::Op::below, *conflict.lifted_at));
    }
    auto removals = storage::count<NoticeRecord>(tables, wanted);
    if (!removals) return std::unexpected(removals.error());
    if (*removals > 0) ++resolved;
  }
  return resolved;
}

Result<Stats> collect(storage::TableReader& tables, const core::ConvoId& convo,
                      std::optional<Timestamp> since) {
  Stats stats;
  const auto count_reports = [&](std::vector<storage::Filter> more) {
    return storage::count<ReportRecord>(tables, in(convo, since, std::move(more)));
  };
  auto reports = count_reports({});
  if (!reports) return std::unexpected(reports.error());
  stats.reports = *reports;
  auto pending = count_reports({where("status", "pending")});
  if (!pending) return std::unexpected(pending.error());
  stats.pending = *pending;
  for (std::size_t i = 0; i < categories.size(); ++i) {
    auto of_category = count_reports({where("category", categories[i].first)});
    if (!of_category) return std::unexpected(of_category.error());
    stats.by_category[i] = *of_category;
  }
  auto removals = storage::count<NoticeRecord>(
      tables, in(convo, since, {where("kind", core::NoticeKind::removed)}));
  if (!removals) return std::unexpected(removals.error());
  stats.removals = *removals;
  auto resolved = resolved_conflicts(tables, convo, since);
  if (!resolved) return std::unexpected(resolved.error());
  stats.conflicts_resolved = *resolved;
  return stats;
}

Result<std::optional<Timestamp>> since_of(const Query& query) {
  const auto text = query.text("since");
  if (!text) return std::nullopt;
  const auto time = from_rfc3339(*text);
  if (!time) return fail(Errc::invalid_request, "since is not a datetime");
  return time;
}

http::Response answer(const core::ConvoId& convo, const Stats& stats, Timestamp now) {
  JsonWriter json;
  json.open().key("stats").open();
  json.key("totalReports").number(stats.reports).key("pendingReports").number(stats.pending);
  // Counted one after the other: a report may come in between.
  json.key("resolvedReports").number(stats.reports - std::min(stats.reports, stats.pending));
  json.key("totalRemovals").number(stats.removals);
  json.key("blockConflictsResolved").number(stats.conflicts_resolved);
  json.key("reportsByCategory").open();
  for (std::size_t i = 0; i < categories.size(); ++i) {
    json.key(categories[i].second).number(stats.by_category[i]);
  }
  json.close().close().key("generatedAt").text(to_rfc3339(now));
  json.key("convoId").text(convo.value).close();
  return json_response(std::move(json));
}

}  // namespace

Task<http::Response> handle_get_admin_stats(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto since = since_of(*query);
  if (!since) co_return error_response(since.error());
  if (!query->text("convoId")) {
    // Nobody is admin of all conversations; the operator has /metrics.
    co_return error_response(
        Error{Errc::not_authorized, "name a conversation that you are an admin of", {}, 0});
  }
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());
  auto reading = read<Stats>(call.services,
                             [convo = *convo, user = call.caller.user,
                              since = *since](storage::Reader& reader) -> Result<Stats> {
                               auto may = check_role_at(reader, convo, user, Needs::admin,
                                                        Errc::not_authorized, Errc::not_authorized);
                               if (!may) return std::unexpected(may.error());
                               return collect(reader.tables(), convo, since);
                             });
  auto stats = co_await reading;
  if (!stats) co_return error_response(stats.error());
  co_return answer(*convo, *stats, call.services->clock.now());
}

}  // namespace catbird::xrpc
