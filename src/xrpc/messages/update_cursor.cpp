// SPDX-License-Identifier: MIT
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <charconv>

namespace catbird::xrpc {

namespace {

// A cursor is a seq, or the id of a message (clients.md trap 18).
std::optional<core::Seq> as_seq(const std::string& cursor) {
  std::uint64_t seq = 0;
  const auto* end = cursor.data() + cursor.size();
  const auto [stop, error] = std::from_chars(cursor.data(), end, seq);
  if (error != std::errc() || stop != end) return std::nullopt;
  return core::Seq(seq);
}

}  // namespace

Task<http::Response> handle_update_cursor(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto convo = convo_id_of(body->fields());
  if (!convo) co_return error_response(convo.error());
  auto cursor = body->fields().text("cursor");
  if (!cursor) co_return error_response(cursor.error());

  auto asking = access(call.services, *convo, call.caller.user);
  auto seen = co_await asking;
  if (!seen) co_return error_response(seen.error());
  auto seq = as_seq(*cursor);
  if (!seq) {
    auto reading = read<std::optional<core::Seq>>(
        call.services, [id = *convo, message = core::MsgId(*cursor)](storage::Reader& reader) {
          return reader.seq_of(id, message);
        });
    auto found = co_await reading;
    if (!found) co_return error_response(found.error());
    if (!*found) co_return error_response(Error{Errc::invalid_cursor, {}, {}, 0});
    seq = **found;
  }
  core::Command mark;
  mark.caller = call.caller;
  mark.what = core::MarkRead{*seq};
  auto marking = ask(call.services, *convo, std::move(mark));
  auto marked = co_await marking;
  call.services->metrics
      .counter("cursor_operations_total", "Cursor reads and writes",
               marked ? "operation=update,status=success" : "operation=update,status=error")
      .add();
  if (!marked) co_return error_response(marked.error());

  co_return success_response();
}

}  // namespace catbird::xrpc
