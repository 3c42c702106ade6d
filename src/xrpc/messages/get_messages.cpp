// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <limits>

namespace catbird::xrpc {

namespace {

constexpr std::int64_t page_rows_max = 100;  // lexicon getMessages.limit
constexpr std::int64_t page_rows_default = 50;

struct Input {
  core::ConvoId convo;
  std::size_t rows_max = 0;
  std::optional<core::Seq> since_seq;
  std::optional<core::MsgId> since_message;  // the seed's form of the same
};

Result<Input> parse(const Query& query) {
  Input input;
  auto convo = convo_id_of(query);
  if (!convo) return std::unexpected(convo.error());
  input.convo = std::move(*convo);
  auto limit = query.integer("limit", 1, page_rows_max);
  if (!limit) return std::unexpected(limit.error());
  input.rows_max = static_cast<std::size_t>(limit->value_or(page_rows_default));
  auto since = query.integer("sinceSeq", 0, std::numeric_limits<std::int64_t>::max());
  if (!since) return std::unexpected(since.error());
  if (*since) input.since_seq = core::Seq(static_cast<std::uint64_t>(**since));
  if (auto id = query.text("sinceMessage"); id && !id->empty()) {
    input.since_message = core::MsgId(std::move(*id));
  }
  return input;
}

Result<storage::Page> read_page(storage::Reader& reader, const Input& input,
                                const core::Access& seen) {
  auto after = seen.after;
  if (input.since_seq) after = std::max(after, *input.since_seq);
  if (!input.since_seq && input.since_message) {
    auto seq = reader.seq_of(input.convo, *input.since_message);
    if (!seq) return std::unexpected(seq.error());
    if (!*seq) return storage::Page{};
    after = std::max(after, **seq);
  }
  return reader.page({.convo = input.convo,
                      .after = after,
                      .until = seen.until,
                      .rows_max = input.rows_max,
                      .bytes_max = core::page_bytes_max / 4 * 3});  // base64 adds a third
}

}  // namespace

// By contract of v1 this resets the caller's unread: the mark moves to the last seq returned, and
// the answer waits until that is durable (DECISIONS 5).
Task<http::Response> handle_get_messages(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto input = parse(*query);
  if (!input) co_return error_response(input.error());

  auto asking = access(call.services, input->convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(seen.error());
  auto reading =
      read<storage::Page>(call.services, [asked = *input, window = *seen](storage::Reader& reader) {
        return read_page(reader, asked, window);
      });
  auto page = co_await reading;
  if (!page) co_return error_response(page.error());
  const auto& rows = page->rows;

  if (seen->active && !rows.empty() && rows.back().seq > seen->read_seq) {
    core::Command mark;
    mark.caller = call.caller;
    mark.what = core::MarkRead{rows.back().seq};
    auto marking = ask(call.services, input->convo, std::move(mark));
    auto marked = co_await marking;
    // Removed in between, or no room for the mark: what was read stays an answer.
    const bool harmless = marked || marked.error().code == Errc::not_member ||
                          marked.error().code == Errc::storage_full;
    if (!harmless) co_return error_response(marked.error());
  }

  JsonWriter json;
  json.open().key("messages").open_list();
  for (const auto& row : rows) write_message_view(json, row);
  json.close_list();
  if (!rows.empty()) json.key("lastSeq").number(rows.back().seq.value);
  // What retention took is named, never a silent hole (O3).
  if (page->first_seq.value > 1) json.key("firstSeq").number(page->first_seq.value);
  json.close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
