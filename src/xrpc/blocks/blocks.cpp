// SPDX-License-Identifier: MIT
// checkBlocks, getBlockStatus: what the users' own block lists say of each other.
#include "core/limits.hpp"
#include "xrpc/blocks/block_check.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/governance/standing.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

namespace {

constexpr std::size_t dids_min = 2;  // lexicon checkBlocks.dids

void write_blocks(JsonWriter& json, const BlocksAmong& found, Timestamp checked_at) {
  json.key("blocks").open_list();
  for (const auto& block : found.blocks) {
    json.open().key("blockerDid").text(block.blocker.value);
    json.key("blockedDid").text(block.blocked.value);
    json.key("createdAt").text(to_rfc3339(block.at)).key("blockUri").text(block.uri).close();
  }
  json.close_list().key("checkedAt").text(to_rfc3339(checked_at));
}

/// All lists or none: half an answer would read as "no blocks".
Task<Result<BlocksAmong>> all_blocks_among(Services* services, std::vector<core::Did> users) {
  if (services->blocks == nullptr) {
    co_return fail(Errc::bluesky_unavailable, checks_off);
  }
  auto looking = blocks_among(services, std::move(users), services->settings.ask_deadline);
  auto found = co_await looking;
  if (!found.complete) {
    co_return fail(Errc::bluesky_unavailable, "not every user's block list can be read now");
  }
  co_return found;
}

}  // namespace

Task<http::Response> handle_check_blocks(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto dids = users(query->list("dids"), core::check_dids_max);
  if (!dids) co_return error_response(dids.error());
  std::vector<core::Did> asked;
  for (auto& did : *dids) {
    if (!is_in(asked, did)) asked.push_back(std::move(did));
  }
  if (asked.size() < dids_min) {
    co_return error_response(
        Error{Errc::invalid_request, "dids must name two users or more", {}, 0});
  }
  auto looking = all_blocks_among(call.services, std::move(asked));
  auto found = co_await looking;
  if (!found) co_return error_response(found.error());
  JsonWriter json;
  json.open();
  write_blocks(json, *found, call.services->clock.now());
  json.close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_get_block_status(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());
  auto loading = load_for(call.services, *convo, call.caller.user, Needs::admin, Errc::not_admin);
  auto state = co_await loading;
  if (!state) co_return error_response(state.error());
  auto members = active_members(*state);
  const auto count = members.size();
  auto looking = all_blocks_among(call.services, std::move(members));
  auto found = co_await looking;
  if (!found) co_return error_response(found.error());
  JsonWriter json;
  json.open().key("convoId").text(convo->value);
  json.key("hasConflicts").boolean(!found->blocks.empty());
  write_blocks(json, *found, call.services->clock.now());
  json.key("memberCount").number(count).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
