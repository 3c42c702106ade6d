// SPDX-License-Identifier: MIT
// handleBlockChange: a user's client says that the user blocks somebody, or no longer does. What
// it says is checked against the user's own list, and the admins of the conversations that both are
// in hear of it.
#include "core/limits.hpp"
#include "storage/tables/conversations.hpp"
#include "xrpc/blocks/block_check.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>
#include <set>

namespace catbird::xrpc {

using storage::BlockConflictRecord;
using storage::where;

namespace {

constexpr std::size_t admins_told_max = 10;  // of one conversation

struct Change {
  core::Did blocker;
  core::Did blocked;
  bool created = false;
  std::optional<std::string> uri;
};

/// A conversation that both are in, and who is told of it.
struct Shared {
  core::ConvoId convo;
  std::vector<core::Did> admins;
};
struct Affected {
  core::ConvoId convo;
  std::optional<Timestamp> told_at;
};

Result<Change> parse(const Fields& fields, const core::Did& caller) {
  auto blocker = user_of(fields, "blockerDid");
  if (!blocker) return std::unexpected(blocker.error());
  auto blocked = user_of(fields, "blockedDid");
  if (!blocked) return std::unexpected(blocked.error());
  if (*blocker != caller) return fail(Errc::unauthorized, "only the blocker may say so");
  if (*blocked == caller) return fail(Errc::invalid_request, "nobody blocks oneself");
  auto action = maybe_one_of(fields, "action", {"created", "removed"});
  if (!action) return std::unexpected(action.error());
  if (!*action) return fail(Errc::invalid_request, "action is missing");
  auto uri = maybe_text_within(fields, "blockUri", core::at_uri_bytes_max);
  if (!uri) return std::unexpected(uri.error());
  return Change{std::move(*blocker), std::move(*blocked), **action == "created", std::move(*uri)};
}

Result<void> verify(const Change& change, const social::BlockList& list) {
  const auto* block = list.find(change.blocked.value);
  if ((block != nullptr) != change.created) {
    return fail(Errc::block_not_verified, change.created ? "there is no such block record"
                                                         : "the block record is still there");
  }
  if (change.created && change.uri && block->uri != *change.uri) {
    return fail(Errc::block_not_verified, "the block record is another one");
  }
  return {};
}

Result<std::vector<Shared>> shared_of(storage::Reader& reader, const Change& change) {
  auto of_one = reader.windows(change.blocker);
  if (!of_one) return std::unexpected(of_one.error());
  auto of_other = reader.windows(change.blocked);
  if (!of_other) return std::unexpected(of_other.error());
  std::set<std::string> theirs;
  for (const auto& window : *of_other) theirs.insert(window.convo.value);
  std::vector<Shared> found;
  for (const auto& window : *of_one) {
    if (!theirs.contains(window.convo.value)) continue;
    auto loaded = reader.load(window.convo);
    if (!loaded) return std::unexpected(loaded.error());
    const auto& roster = loaded->state.members;
    Shared shared{window.convo, {}};
    for (const auto& member : roster.entries()) {
      if (!member.active() || !member.admin || shared.admins.size() == admins_told_max) continue;
      shared.admins.emplace_back(std::string(roster.name(member)));
    }
    found.push_back(std::move(shared));
  }
  return found;
}

/// Keeps the conflict and tells the admins, once.
Result<Timestamp> raise(storage::UserWriter& writer, const Shared& shared, const Change& change,
                        Timestamp now) {
  const BlockConflictRecord raised{shared.convo, change.blocker, change.blocked, now, {}};
  auto known = storage::select_one<BlockConflictRecord>(
      writer.tables(), {.where = {where("convo_id", shared.convo), where("blocker", change.blocker),
                                  where("blocked", change.blocked)}});
  if (!known) return std::unexpected(known.error());
  if (*known && !(*known)->lifted_at) return (*known)->at;
  if (*known) {
    if (auto put = replace(writer.tables(), **known, raised); !put) {
      return std::unexpected(put.error());
    }
  } else {
    auto added = insert(writer.tables(), raised);
    if (!added) return std::unexpected(added.error());
    if (!*added) return fail(Errc::retry, "raised meanwhile");
  }
  for (const auto& admin : shared.admins) {
    core::Noted noted;
    noted.kind = core::NoticeKind::block_conflict;
    noted.user = admin;
    noted.actor = change.blocker;
    noted.reference = change.blocked.value;
    noted.at = now;
    auto told = writer.note(shared.convo, std::move(noted));
    if (!told) return std::unexpected(told.error());
  }
  return now;
}

Result<void> lift(storage::TableWriter& tables, const Change& change, Timestamp now) {
  auto open = storage::select<BlockConflictRecord>(
      tables, {.where = {where("blocker", change.blocker),
                         where("blocked", change.blocked),
                         {"lifted_at", storage::Filter::Op::is_null, {}}}});
  if (!open) return std::unexpected(open.error());
  for (const auto& conflict : *open) {
    auto lifted = conflict;
    lifted.lifted_at = std::max(now, conflict.at);
    if (auto put = replace(tables, conflict, lifted); !put) return put;
  }
  return {};
}

Wait<Result<std::vector<Affected>>> record(Services* services, Change change,
                                           std::vector<Shared> shared) {
  return write<std::vector<Affected>>(
      services,
      [change = std::move(change), shared = std::move(shared),
       now = services->clock.now()](storage::UserWriter& writer) -> Result<std::vector<Affected>> {
        std::vector<Affected> affected;
        if (!change.created) {
          if (auto lifted = lift(writer.tables(), change, now); !lifted) {
            return std::unexpected(lifted.error());
          }
        }
        for (const auto& one : shared) {
          affected.push_back({one.convo, {}});
          if (!change.created) continue;
          auto told = raise(writer, one, change, now);
          if (!told) return std::unexpected(told.error());
          affected.back().told_at = *told;
        }
        return affected;
      });
}

}  // namespace

Task<http::Response> handle_handle_block_change(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto change = parse(body->fields(), call.caller.user);
  if (!change) co_return error_response(change.error());
  auto looking = block_list_now(call.services, change->blocker);
  auto list = co_await looking;
  if (!list) co_return error_response(list.error());
  if (auto verified = verify(*change, **list); !verified) {
    co_return error_response(verified.error());
  }
  auto reading = read<std::vector<Shared>>(
      call.services,
      [change = *change](storage::Reader& reader) { return shared_of(reader, change); });
  auto shared = co_await reading;
  if (!shared) co_return error_response(shared.error());
  auto recording = record(call.services, std::move(*change), std::move(*shared));
  auto affected = co_await recording;
  if (!affected) co_return error_response(affected.error());
  JsonWriter json;
  json.open().key("affectedConvos").open_list();
  for (const auto& one : *affected) {
    json.open().key("convoId").text(one.convo.value);
    json.key("action").text(one.told_at ? "admin_notified" : "no_action");
    json.key("adminNotified").boolean(one.told_at.has_value());
    if (one.told_at) json.key("notificationSentAt").text(to_rfc3339(*one.told_at));
    json.close();
  }
  json.close_list().close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
