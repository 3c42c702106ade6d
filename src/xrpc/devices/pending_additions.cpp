// SPDX-License-Identifier: MIT
// A new device of a member has to be added to the MLS group by some member that is there. Whoever
// claims the addition has addition_claim_ms to do it; then it is free again.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace catbird::xrpc {

using storage::PendingAddition;
using storage::where;

namespace {

constexpr std::int64_t additions_max = 100;
constexpr std::int64_t additions_default = 50;
constexpr std::size_t additions_read_at_once = 500;

bool claimed(const PendingAddition& addition, Timestamp now) {
  return addition.claim_until && *addition.claim_until > now;
}

Result<std::optional<PendingAddition>> find_addition(storage::TableReader& tables,
                                                     const std::string& id) {
  return storage::select_one<PendingAddition>(tables, {.where = {where("id", id)}});
}

/// True while there is something to add: the user is a member and its device not in the group.
Result<bool> still_open(storage::Reader& reader, const PendingAddition& addition,
                        std::map<core::ConvoId, core::Snapshot>& loaded) {
  auto it = loaded.find(addition.convo);
  if (it == loaded.end()) {
    auto convo = reader.load(addition.convo);
    if (!convo) return std::unexpected(convo.error());
    it = loaded.emplace(addition.convo, std::move(convo->state)).first;
  }
  const auto& members = it->second.members;
  const auto* member = members.find(addition.user);
  if (member == nullptr || !member->active()) return false;
  const auto devices = members.devices(*member);
  return std::ranges::find(devices, addition.device) == devices.end();
}

struct Asked {
  core::Did caller;
  std::vector<std::string> convos;  // none: all of the caller's
  std::size_t rows_max = 0;
};

Result<std::vector<PendingAddition>> list_additions(storage::Reader& reader, const Asked& asked) {
  auto windows = reader.windows(asked.caller);
  if (!windows) return std::unexpected(windows.error());
  std::vector<PendingAddition> open;
  std::map<core::ConvoId, core::Snapshot> loaded;
  for (std::size_t at = 0; at < windows->size(); at += additions_read_at_once) {
    std::vector<core::ConvoId> some;
    for (auto i = at; i < std::min(at + additions_read_at_once, windows->size()); ++i) {
      const auto& convo = (*windows)[i].convo;
      if (asked.convos.empty() ||
          std::ranges::find(asked.convos, convo.value) != asked.convos.end()) {
        some.push_back(convo);
      }
    }
    if (some.empty()) continue;
    auto rows = storage::select<PendingAddition>(
        reader.tables(),
        {.where = {storage::where_any("convo_id", some), where("status", "pending")},
         .order = "at"});
    if (!rows) return std::unexpected(rows.error());
    for (auto& row : *rows) {
      auto wanted = still_open(reader, row, loaded);
      if (!wanted) return std::unexpected(wanted.error());
      if (*wanted) open.push_back(std::move(row));
      if (open.size() == asked.rows_max) return open;
    }
  }
  return open;
}

struct Claim {
  PendingAddition addition;
  bool mine = false;
  std::vector<storage::ReservedKeyPackage> packages;
};

Result<std::optional<Claim>> claim(storage::UserWriter& writer, const std::string& id,
                                   const core::Did& caller, std::uint16_t suite, Timestamp now) {
  auto& tables = writer.tables();
  auto found = find_addition(tables, id);
  if (!found) return std::unexpected(found.error());
  if (!*found || (*found)->status != "pending") return std::nullopt;
  Claim claim{.addition = **found, .packages = {}};
  if (claimed(**found, now) && (*found)->claimed_by != caller) return claim;
  claim.mine = true;
  claim.addition.claimed_by = caller;
  claim.addition.claim_until = Timestamp(now.value + core::addition_claim_ms);
  if (auto done = replace(tables, **found, claim.addition); !done) {
    return std::unexpected(done.error());
  }
  auto packages = writer.reserve({.caller = caller,
                                  .target = claim.addition.user,
                                  .device = claim.addition.device,
                                  .suite = suite,
                                  .now = now});
  if (!packages) return std::unexpected(packages.error());
  claim.packages = std::move(*packages);
  return claim;
}

/// What the caller may know of an addition.
struct Sight {
  bool member = false;  // of its conversation; false if there is no such addition
  bool open = false;
  std::uint16_t suite = 0;
};

Wait<Result<Sight>> look_up(Services* services, std::string id, core::Did caller) {
  return read<Sight>(
      services,
      [id = std::move(id), caller = std::move(caller)](storage::Reader& reader) -> Result<Sight> {
        auto addition = find_addition(reader.tables(), id);
        if (!addition) return std::unexpected(addition.error());
        if (!*addition) return Sight{};
        std::map<core::ConvoId, core::Snapshot> loaded;
        auto open = still_open(reader, **addition, loaded);
        if (!open) return std::unexpected(open.error());
        const auto& state = loaded.begin()->second;
        const auto* member = state.members.find(caller);
        return Sight{member != nullptr && member->active(), *open, state.suite};
      });
}

/// False if there is none.
Result<bool> complete(storage::TableWriter& tables, const std::string& id,
                      const core::Did& caller) {
  auto found = find_addition(tables, id);
  if (!found) return std::unexpected(found.error());
  if (!*found) return false;
  if ((*found)->claimed_by != caller) {
    return fail(Errc::not_claimed, "another member, or nobody, has claimed this addition");
  }
  if ((*found)->status != "pending") return true;  // the same request again
  auto after = **found;
  after.status = "done";
  if (auto done = replace(tables, **found, after); !done) return std::unexpected(done.error());
  return true;
}

void write_addition(JsonWriter& json, const PendingAddition& addition, Timestamp now) {
  json.open().key("id").text(addition.id).key("convoId").text(addition.convo.value);
  json.key("userDid").text(addition.user.value).key("deviceId").text(addition.device.value);
  json.key("deviceName").text(addition.device_name);
  json.key("deviceCredentialDid").text(device_did(addition.user, addition.device));
  const bool busy = claimed(addition, now);
  json.key("status").text(busy ? "in_progress" : "pending");
  if (busy) json.key("claimedBy").text(addition.claimed_by->value);
  json.key("createdAt").text(to_rfc3339(addition.at)).close();
}

}  // namespace

Task<http::Response> handle_get_pending_device_additions(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto limit = query->integer("limit", 1, additions_max);
  if (!limit) co_return error_response(limit.error());
  Asked asked{.caller = call.caller.user, .convos = {}, .rows_max = 0};
  asked.rows_max = static_cast<std::size_t>(limit->value_or(additions_default));
  for (auto& text : query->list("convoIds")) {
    auto convo = convo_id(std::move(text));
    if (!convo) co_return error_response(convo.error());
    asked.convos.push_back(std::move(convo->value));
  }
  auto reading = read<std::vector<PendingAddition>>(
      call.services, [asked = std::move(asked)](storage::Reader& reader) {
        return list_additions(reader, asked);
      });
  auto additions = co_await reading;
  if (!additions) co_return error_response(additions.error());
  JsonWriter json;
  json.open().key("pendingAdditions").open_list();
  for (const auto& one : *additions) write_addition(json, one, call.services->clock.now());
  json.close_list().close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_claim_pending_device_addition(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto id = text_within(body->fields(), "pendingAdditionId", core::record_id_bytes_max);
  if (!id) co_return error_response(id.error());

  auto looking = look_up(call.services, *id, call.caller.user);
  auto found = co_await looking;
  if (!found) co_return error_response(found.error());
  JsonWriter json;
  if (!found->member || !found->open) {
    // Unknown, done, or of a conversation that is none of the caller's business: all the same (A6).
    json.open().key("claimed").boolean(false).close();
    co_return json_response(std::move(json));
  }
  auto writing = write<std::optional<Claim>>(
      call.services,
      [id = *id, caller = call.caller.user, suite = found->suite, now = call.services->clock.now()](
          storage::UserWriter& writer) { return claim(writer, id, caller, suite, now); });
  auto claim = co_await writing;
  if (!claim) co_return error_response(claim.error());
  json.open().key("claimed").boolean(*claim && (*claim)->mine);
  if (*claim) {
    const auto& addition = (*claim)->addition;
    json.key("convoId").text(addition.convo.value);
    json.key("deviceCredentialDid").text(device_did(addition.user, addition.device));
    json.key("claimedBy").text(addition.claimed_by->value);
    if (!(*claim)->packages.empty()) {
      const auto& package = (*claim)->packages.front();  // one device and suite: there is one
      json.key("keyPackage").open().key("did").text(package.user.value);
      json.key("keyPackage").base64(package.bytes);
      json.key("keyPackageHash").text(to_hex(package.hash));
      json.key("cipherSuite").text(suite_name(package.suite)).close();
    }
  }
  json.close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_complete_pending_device_addition(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto id = text_within(body->fields(), "pendingAdditionId", core::record_id_bytes_max);
  if (!id) co_return error_response(id.error());
  auto epoch = body->fields().integer("newEpoch");
  if (!epoch) co_return error_response(epoch.error());
  if (*epoch < 0) {
    co_return error_response(Error{Errc::invalid_request, "newEpoch must not be negative", {}, 0});
  }
  auto looking = look_up(call.services, *id, call.caller.user);
  auto found = co_await looking;
  if (!found) co_return error_response(found.error());
  Result<bool> done = false;
  if (found->member) {
    auto writing = write<bool>(call.services,
                               [id = *id, caller = call.caller.user](storage::UserWriter& writer) {
                                 return complete(writer.tables(), id, caller);
                               });
    done = co_await writing;
  }
  if (!done) co_return error_response(done.error());
  JsonWriter json;
  json.open().key("success").boolean(*done);
  if (!*done) json.key("error").text("no such pending addition");
  json.close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
