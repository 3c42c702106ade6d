// SPDX-License-Identifier: MIT
// getPolicy, updatePolicy. The rules themselves are core/'s.
#include "storage/tables/conversations.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/governance/standing.hpp"
#include "xrpc/group_parts.hpp"
#include "xrpc/shapes.hpp"

namespace catbird::xrpc {

namespace {

constexpr std::int64_t members_least = 2;  // lexicon updatePolicy.maxMembers

struct PolicyView {
  core::ConvoId convo;
  core::Policy policy;
  Timestamp at;
  std::optional<core::Did> by;
};

Result<PolicyView> find_policy(storage::Reader& reader, const core::ConvoId& convo,
                               const core::Did& user) {
  auto loaded = reader.load(convo);
  if (!loaded) return std::unexpected(loaded.error());
  if (auto may = check_role(loaded->state, user, Needs::member, Errc::not_member); !may) {
    return std::unexpected(may.error());
  }
  auto record = storage::select_one<storage::PolicyRecord>(
      reader.tables(), {.where = {storage::where("convo_id", convo)}});
  if (!record) return std::unexpected(record.error());
  if (!*record) return PolicyView{convo, {}, loaded->state.created_at, std::nullopt};
  return PolicyView{convo, policy_of(**record), (*record)->at, (*record)->by};
}

http::Response answer(const PolicyView& view) {
  const auto& policy = view.policy;
  JsonWriter json;
  json.open().key("policy").open().key("convoId").text(view.convo.value);
  json.key("allowInvites").boolean(policy.allow_invites);
  json.key("adminOnlyInvites").boolean(policy.admin_only_invites);
  json.key("allowMemberAdd").boolean(policy.allow_member_add);
  json.key("allowMemberRemove").boolean(policy.allow_member_remove);
  json.key("requireAdminApproval").boolean(policy.require_admin_approval);
  json.key("maxMembers").number(policy.max_members);
  json.key("updatedAt").text(to_rfc3339(view.at));
  if (view.by) json.key("updatedBy").text(view.by->value);
  json.close().close();
  return json_response(std::move(json));
}

Task<http::Response> show(Call call, core::ConvoId convo) {
  auto reading = read<PolicyView>(
      call.services, [convo = std::move(convo), user = call.caller.user](storage::Reader& reader) {
        return find_policy(reader, convo, user);
      });
  auto view = co_await reading;
  if (!view) co_return error_response(view.error());
  co_return answer(*view);
}

Result<core::ChangePolicy> parse(const Fields& fields) {
  core::ChangePolicy change;
  const std::pair<std::string_view, std::optional<bool>*> switches[] = {
      {"allowInvites", &change.allow_invites},
      {"adminOnlyInvites", &change.admin_only_invites},
      {"allowMemberAdd", &change.allow_member_add},
      {"allowMemberRemove", &change.allow_member_remove},
      {"requireAdminApproval", &change.require_admin_approval}};
  for (const auto& [name, place] : switches) {
    auto value = fields.maybe_boolean(name);
    if (!value) return std::unexpected(value.error());
    *place = *value;
  }
  auto most = fields.maybe_integer("maxMembers");
  if (!most) return std::unexpected(most.error());
  if (*most) {
    if (**most < members_least || **most > static_cast<std::int64_t>(core::members_max)) {
      return fail(Errc::invalid_request, "maxMembers must be 2 to 1000");
    }
    change.max_members = static_cast<std::uint16_t>(**most);
  }
  return change;
}

}  // namespace

Task<http::Response> handle_get_policy(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());
  auto showing = show(std::move(call), std::move(*convo));
  co_return co_await showing;
}

Task<http::Response> handle_update_policy(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto convo = convo_id_of(body->fields());
  if (!convo) co_return error_response(convo.error());
  auto change = parse(body->fields());
  if (!change) co_return error_response(change.error());
  auto key = request_key(*body, "updatePolicy", {});
  if (!key) co_return error_response(key.error());
  core::Command command;
  command.caller = call.caller;
  command.key = std::move(*key);
  command.what = *change;
  auto asking = ask(call.services, *convo, std::move(command));
  auto outcome = co_await asking;
  if (!outcome) co_return error_response(outcome.error());
  auto showing = show(std::move(call), std::move(*convo));
  co_return co_await showing;
}

}  // namespace catbird::xrpc
