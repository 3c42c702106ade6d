// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

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
      [asked = std::move(*wanted)](storage::Reader& reader) { return reader.convos(asked); });
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
