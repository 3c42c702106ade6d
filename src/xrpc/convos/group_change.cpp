// SPDX-License-Identifier: MIT
#include "xrpc/convos/group_change.hpp"

#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

namespace {

// RFC 9420 §12.4.3.2: who joins by itself must be the caller (DECISIONS 4).
Result<void> check_joiner(const GroupChange& change, const ParsedParts& parsed) {
  if (!change.names.external) return {};
  if (!parsed.parts.commit) return fail(Errc::invalid_commit, "externalCommit is missing");
  if (parsed.joiner != change.caller.user) {
    return fail(Errc::unauthorized, "the joining leaf is not the caller's");
  }
  return {};
}

}  // namespace

Result<GroupChange> begin_change(const Call& call, std::string_view method, const Fields& fields) {
  auto convo = convo_id_of(fields);
  if (!convo) return std::unexpected(convo.error());
  GroupChange change;
  change.services = call.services;
  change.caller = call.caller;
  change.method = method;
  change.convo = std::move(*convo);
  return change;
}

Task<Result<core::GroupParts>> resolve(Services* services, core::Did caller, ParsedParts parsed,
                                       std::vector<core::Did> declared) {
  if (!parsed.parts.welcome && parsed.named_hashes.empty()) co_return std::move(parsed.parts);
  auto reading = read<core::GroupParts>(
      services, [caller = std::move(caller), declared = std::move(declared),
                 known = std::move(parsed), now = services->clock.now()](storage::Reader& reader) {
        return resolve_parts(reader, known, caller, declared, now);
      });
  auto parts = co_await reading;
  co_return parts;
}

http::Response success_with_epoch(core::Epoch epoch) {
  JsonWriter json;
  json.open().key("success").boolean(true);
  json.key("newEpoch").number(epoch.value).close();
  return json_response(std::move(json));
}

Task<Result<core::Outcome>> change_group(GroupChange change, Body body) {
  auto* services = change.services;
  auto parsed = parse_parts(body.fields(), change.names);
  if (!parsed) co_return std::unexpected(parsed.error());
  if (auto checked = check_joiner(change, *parsed); !checked) {
    co_return std::unexpected(checked.error());
  }
  if (auto checked = check_inline_adds(*parsed, change.declared); !checked) {
    co_return std::unexpected(checked.error());
  }
  auto key = request_key(body, change.method, parsed->parts);
  if (!key) co_return std::unexpected(key.error());

  core::Command command;
  command.caller = change.caller;
  if (command.caller.device.value.empty() && parsed->joiner_device) {
    command.caller.device = *parsed->joiner_device;
  }
  command.tag = services->tags.of(change.convo, change.caller.user);
  command.key = std::move(*key);

  auto resolving = resolve(services, change.caller.user, std::move(*parsed), change.declared);
  auto parts = co_await resolving;
  if (!parts) co_return std::unexpected(parts.error());
  command.what = change.build(std::move(*parts));
  auto asked = ask(services, change.convo, std::move(command));
  auto outcome = co_await asked;
  co_return outcome;
}

}  // namespace catbird::xrpc
