// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "storage/tables/conversations.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

namespace catbird::xrpc {

namespace {

constexpr std::int64_t page_rows_max = 100;  // lexicon getConvos.limit
constexpr std::int64_t page_rows_default = 50;

Result<storage::ConvoQuery> parse(const Query& query, const core::Did& user) {
  storage::ConvoQuery wanted;
  wanted.user = user;
  auto limit = query.integer("limit", 1, page_rows_max);
  if (!limit) return std::unexpected(limit.error());
  auto cursor = query.text("cursor");
  if (cursor) {
    auto bytes = from_base64url(*cursor);
    if (!bytes || bytes->empty()) return fail(Errc::invalid_cursor);
    wanted.after = core::ConvoId(std::string(text_of(*bytes)));
  }
  // DECISIONS 13: without limit and cursor everything, or an error: clients delete the history of
  // what a listing does not name.
  if (*limit || cursor) {
    wanted.rows_max = static_cast<std::size_t>(limit->value_or(page_rows_default));
    wanted.bytes_max = core::page_bytes_max;
  }
  return wanted;
}

Result<void> mark_moderators(storage::TableReader& tables,
                             std::vector<storage::ConvoView>& convos) {
  constexpr std::size_t at_once = 512;
  for (std::size_t from = 0; from < convos.size(); from += at_once) {
    const auto some = std::span(convos).subspan(from, std::min(at_once, convos.size() - from));
    std::vector<core::ConvoId> ids;
    for (const auto& convo : some) ids.push_back(convo.id);
    auto moderators = storage::select<storage::ModeratorRecord>(
        tables, {.where = {storage::where_any("convo_id", ids)}});
    if (!moderators) return std::unexpected(moderators.error());
    std::set<std::pair<core::ConvoId, core::Did>> known;
    for (auto& one : *moderators) known.emplace(std::move(one.convo), std::move(one.user));
    if (known.empty()) continue;
    for (auto& convo : some) {
      for (auto& member : convo.members) {
        member.moderator = known.contains({convo.id, member.user});
      }
    }
  }
  return {};
}

}  // namespace

Task<http::Response> handle_get_convos(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto wanted = parse(*query, call.caller.user);
  if (!wanted) co_return error_response(wanted.error());
  const auto* tags = &call.services->tags;
  wanted->tag = [tags, user = call.caller.user](const core::ConvoId& convo) {
    return tags->of(convo, user);
  };
  const bool whole = wanted->rows_max == 0;

  auto reading = read<storage::ConvoPage>(
      call.services,
      [asked = std::move(*wanted)](storage::Reader& reader) -> Result<storage::ConvoPage> {
        auto found = reader.convos(asked);
        if (!found) return found;
        if (auto done = mark_moderators(reader.tables(), found->convos); !done) {
          return std::unexpected(done.error());
        }
        return found;
      });
  auto page = co_await reading;
  if (!page) co_return error_response(page.error());

  JsonWriter json;
  json.open().key("conversations").open_list();
  for (const auto& convo : page->convos) write_convo_view(json, convo);
  json.close_list();
  if (page->more && !page->convos.empty()) {
    json.key("cursor").text(to_base64url(view_of(page->convos.back().id.value)));
  }
  json.close();
  if (whole && json.size() > core::page_bytes_max) {
    co_return error_response(Error{
        Errc::overloaded, "too many conversations for one answer, use limit and cursor", {}, 0});
  }
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
