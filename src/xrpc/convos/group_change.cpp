// SPDX-License-Identifier: MIT
#include "xrpc/convos/group_change.hpp"

#include "storage/tables/accounts.hpp"
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

constexpr std::int64_t new_device_ms = 3'600'000;
constexpr std::int64_t new_answer_ms_max = 300'000;

// A device that registered a moment ago has no state to be behind with: its first external commit
// always passes.
Wait<Result<bool>> is_first_of_new_device(Services* services, Rejoin rejoin) {
  return read<bool>(
      services, [services, rejoin = std::move(rejoin)](storage::Reader& reader) -> Result<bool> {
        auto device = storage::select_one<storage::DeviceRecord>(
            reader.tables(), {.where = {storage::where("user_did", rejoin.device.user),
                                        storage::where("device", rejoin.device.device)}});
        if (!device) return std::unexpected(device.error());
        if (!*device) return false;
        const auto registered = (*device)->registered_at;
        return services->clock.now().value - registered.value < new_device_ms &&
               !services->limiter.rejoins().knows(rejoin, registered);
      });
}

// docs/adr/0019. Only a member hears of it: what happens in a conversation is nobody else's
// business (A6), and core/ refuses everyone else.
Task<Result<void>> admit(Services* services, Rejoin rejoin) {
  const auto wait = services->limiter.rejoins().wait_for(rejoin, services->clock.now());
  if (wait == 0) co_return {};
  auto seeing = access(services, rejoin.convo, rejoin.device.user);
  const auto seen = co_await seeing;
  if (!seen || !seen->active) co_return {};
  auto looking = is_first_of_new_device(services, std::move(rejoin));
  auto first = co_await looking;
  if (!first) co_return std::unexpected(first.error());
  if (*first) co_return {};
  services->metrics
      .counter("rate_limit_drops_total", "Requests refused by a rate limit",
               "endpoint=processExternalCommit")
      .add();
  co_return std::unexpected(Error{Errc::rate_limited,
                                  "this conversation was rejoined moments ago, catch up instead",
                                  {},
                                  wait});
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

  std::optional<Rejoin> rejoin;
  if (change.names.external) {
    rejoin = {change.convo, command.caller, sha256({*parsed->parts.commit->bytes})};
    auto admitting = admit(services, *rejoin);
    auto admitted = co_await admitting;
    if (!admitted) co_return std::unexpected(admitted.error());
  }
  auto resolving = resolve(services, change.caller.user, std::move(*parsed), change.declared);
  auto parts = co_await resolving;
  if (!parts) co_return std::unexpected(parts.error());
  command.what = change.build(std::move(*parts));
  auto asked = ask(services, change.convo, std::move(command));
  auto outcome = co_await asked;
  // An answer out of the store may be about long ago; the times it gives are blurred.
  const auto now = services->clock.now();
  if (outcome && rejoin && now.value - outcome->at.value < new_answer_ms_max) {
    services->limiter.rejoins().accepted(*rejoin, now);
  }
  co_return outcome;
}

}  // namespace catbird::xrpc
