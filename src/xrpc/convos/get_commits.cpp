// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

#include <limits>

namespace catbird::xrpc {

namespace {

struct Range {
  core::ConvoId convo;
  core::Epoch from, to;
};

Result<Range> parse(const Query& query) {
  auto convo = convo_id_of(query);
  if (!convo) return std::unexpected(convo.error());
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  auto from = query.integer("fromEpoch", 0, most);
  if (!from) return std::unexpected(from.error());
  if (!*from) return fail(Errc::invalid_request, "parameter fromEpoch is missing");
  auto to = query.integer("toEpoch", 0, most);
  if (!to) return std::unexpected(to.error());
  if (*to && **to < **from) return fail(Errc::invalid_epoch_range);
  return Range{std::move(*convo), core::Epoch(static_cast<std::uint64_t>(**from)),
               core::Epoch(static_cast<std::uint64_t>(to->value_or(most)))};
}

}  // namespace

// Bounded by bytes only: a count would strand a client that is far behind (clients.md 2.5). A
// client that gets less asks again from the epoch after the last one it got.
Task<http::Response> handle_get_commits(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto range = parse(*query);
  if (!range) co_return error_response(range.error());

  auto asking = access(call.services, range->convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(seen.error());
  storage::CommitQuery wanted{.convo = range->convo,
                              .from = range->from,
                              .to = range->to,
                              .after = seen->after,
                              .until = seen->until,
                              .bytes_max = core::page_bytes_max / 4 * 3};  // base64 adds a third
  auto reading = read<std::vector<storage::Row>>(
      call.services, [wanted](storage::Reader& reader) { return reader.commits(wanted); });
  auto rows = co_await reading;
  if (!rows) co_return error_response(rows.error());

  JsonWriter json;
  json.open().key("convoId").text(range->convo.value);
  json.key("commits").open_list();
  for (const auto& row : *rows) {
    json.open();
    json.key("id").text(row.id.value);
    json.key("epoch").number(row.epoch.value);
    json.key("sender").text(row.committer.value);
    json.key("commitData").bytes(*row.bytes);
    json.key("seq").number(row.seq.value);
    json.key("createdAt").text(to_rfc3339(row.at));
    json.close();
  }
  json.close_list().close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
