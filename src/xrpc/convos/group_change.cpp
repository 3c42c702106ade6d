// SPDX-License-Identifier: MIT
#include "xrpc/convos/group_change.hpp"

namespace catbird::xrpc {

namespace {

// RFC 9420 §12.4.3.2: who joins by itself must be the caller (DECISIONS 4).
Result<void> check_joiner(const GroupChange& change, const ParsedParts& parsed) {
  if (!change.names.external) return {};
  if (!parsed.parts.commit) return fail(Errc::invalid_commit, "externalCommit is missing");
  if (parsed.joiner != change.call.caller.user) {
    return fail(Errc::unauthorized, "the joining leaf is not the caller's");
  }
  return {};
}

}  // namespace

Task<Result<core::Outcome>> change_group(GroupChange change, Body body) {
  auto* services = change.call.services;
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
  command.caller = change.call.caller;
  if (command.caller.device.value.empty() && parsed->joiner_device) {
    command.caller.device = *parsed->joiner_device;
  }
  command.tag = services->tags.of(change.convo, change.call.caller.user);
  command.key = std::move(*key);

  core::GroupParts parts = parsed->parts;
  if (parts.welcome || !parsed->named_hashes.empty()) {
    auto resolving =
        read<core::GroupParts>(services, [caller = change.call.caller.user,
                                          declared = change.declared, known = std::move(*parsed),
                                          now = services->clock.now()](storage::Reader& reader) {
          return resolve_parts(reader, known, caller, declared, now);
        });
    auto resolved = co_await resolving;
    if (!resolved) co_return std::unexpected(resolved.error());
    parts = std::move(*resolved);
  }
  command.what = change.build(std::move(parts));
  auto asked = ask(services, change.convo, std::move(command));
  auto outcome = co_await asked;
  co_return outcome;
}

}  // namespace catbird::xrpc
