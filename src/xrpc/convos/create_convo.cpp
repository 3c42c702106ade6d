// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "mls/verify.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/blocks/block_check.hpp"
#include "xrpc/convos/group_change.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/group_parts.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>

namespace catbird::xrpc {

namespace {

constexpr PartNames parts_without_commit{.commit = "", .external = false};

struct Input {
  core::ConvoId convo;
  core::CreateConvo create;
  ParsedParts parsed;
  std::vector<core::Did> declared;
};

Result<Bytes> group_id_of(const Fields& fields) {
  auto text = fields.text("groupId");
  if (!text) return std::unexpected(text.error());
  auto bytes = from_hex(*text);
  if (!bytes || bytes->empty() || bytes->size() > core::group_id_bytes_max) {
    return fail(Errc::invalid_request, "groupId must be the hexadecimal MLS group id");
  }
  return std::move(*bytes);
}

Result<std::string> name_of(const Fields& fields) {
  auto metadata = fields.maybe_object("metadata");
  if (!metadata) return std::unexpected(metadata.error());
  if (!*metadata) return std::string();
  auto name = (*metadata)->maybe_text("name");
  if (!name) return std::unexpected(name.error());
  if (*name && (*name)->size() > core::name_bytes_max) {
    return fail(Errc::invalid_request, "metadata.name is too long");
  }
  return name->value_or("");
}

Result<Input> parse(const Body& body) {
  const auto& fields = body.fields();
  Input input;
  auto group_id = group_id_of(fields);
  if (!group_id) return std::unexpected(group_id.error());
  input.convo = core::ConvoId(to_hex(*group_id));
  input.create.group_id = std::move(*group_id);

  auto suite = fields.text("cipherSuite");
  if (!suite) return std::unexpected(suite.error());
  const auto* known = mls::suite_by_name(*suite);
  if (known == nullptr) return fail(Errc::invalid_cipher_suite);
  input.create.suite = known->id;

  auto name = name_of(fields);
  if (!name) return std::unexpected(name.error());
  input.create.name = std::move(*name);

  auto texts = fields.maybe_texts("initialMembers");
  if (!texts) return std::unexpected(texts.error());
  if (texts->size() >= core::members_max) return fail(Errc::too_many_members);
  auto members = users(*texts, core::members_max);
  if (!members) return std::unexpected(members.error());
  input.declared = std::move(*members);

  auto parsed = parse_parts(fields, parts_without_commit);
  if (!parsed) return std::unexpected(parsed.error());
  input.parsed = std::move(*parsed);

  // With a Welcome the creator already committed the adds: its group is at epoch 1 at least.
  const std::int64_t least = input.parsed.parts.welcome ? 1 : 0;
  auto epoch = fields.maybe_integer("currentEpoch");
  if (!epoch) return std::unexpected(epoch.error());
  if (*epoch && **epoch < 0) return fail(Errc::invalid_request, "currentEpoch is negative");
  input.create.epoch = core::Epoch(static_cast<std::uint64_t>(epoch->value_or(least)));
  if (input.create.epoch.value > core::creation_epoch_max) {
    return fail(Errc::invalid_request, "currentEpoch is out of range");
  }
  return input;
}

storage::ConvoView view_of_creation(const core::Did& creator, const Input& input,
                                    const core::Outcome& outcome) {
  storage::ConvoView view;
  view.id = input.convo;
  view.group_id = input.create.group_id;
  view.creator = creator;
  view.suite = input.create.suite;
  view.epoch = outcome.epoch;
  view.created_at = outcome.at;
  if (auto detail = core::decode_creation(outcome.detail)) {
    view.name = std::move(detail->name);
    for (auto& member : detail->members) {
      const bool admin = member == creator;
      view.members.push_back({std::move(member), admin, outcome.at, std::nullopt, {}});
    }
  }
  return view;
}

}  // namespace

Task<http::Response> handle_create_convo(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto input = parse(*body);
  if (!input) co_return error_response(input.error());
  auto key = request_key(*body, "createConvo", input->parsed.parts);
  if (!key) co_return error_response(key.error());

  auto* services = call.services;
  auto checking =
      check_blocks_of_creation(services, input->convo, call.caller.user, input->declared);
  auto checked = co_await checking;
  if (!checked) co_return error_response(checked.error());
  auto resolving = resolve(services, call.caller.user, input->parsed, input->declared);
  auto parts = co_await resolving;
  if (!parts) co_return error_response(parts.error());

  core::Command command;
  command.caller = call.caller;
  command.tag = services->tags.of(input->convo, call.caller.user);
  command.key = std::move(*key);
  auto create = input->create;
  create.initial_members = input->declared;
  create.parts = std::move(*parts);
  command.what = std::move(create);
  auto asked = ask(services, input->convo, std::move(command));
  auto outcome = co_await asked;
  if (!outcome) co_return error_response(outcome.error());

  services->metrics.counter("mls_groups_created_total", "Conversations created").add();
  JsonWriter json;
  write_convo_view(json, view_of_creation(call.caller.user, *input, *outcome));
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
