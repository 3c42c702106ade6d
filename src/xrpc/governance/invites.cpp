// SPDX-License-Identifier: MIT
// createInvite, revokeInvite, listInvites. The server knows the hash of an invite's key; whoever
// has the key shows it to a member, which adds the newcomer: an invite opens nothing by itself.
#include "core/limits.hpp"
#include "storage/tables/conversations.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/governance/standing.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

using storage::InviteRecord;
using storage::where;

namespace {

Result<InviteRecord> parse(const Fields& fields, const core::Did& creator, Timestamp now) {
  InviteRecord invite;
  invite.id = new_timed_id(now);
  invite.created_by = creator;
  invite.at = now;
  auto convo = convo_id_of(fields);
  if (!convo) return std::unexpected(convo.error());
  invite.convo = std::move(*convo);
  auto hash = fields.text("pskHash");
  if (!hash) return std::unexpected(hash.error());
  const auto bytes = hash_of_hex(*hash);
  if (!bytes) return fail(Errc::invalid_psk_hash);
  invite.psk_hash = to_hex(*bytes);
  auto target = fields.maybe_text("targetDid");
  if (!target) return std::unexpected(target.error());
  if (*target) {
    auto who = address(**target);
    if (!who) return std::unexpected(who.error());
    invite.target = std::move(who->user);
  }
  auto expires = maybe_time(fields, "expiresAt");
  if (!expires) return std::unexpected(expires.error());
  if (*expires && **expires <= now) return fail(Errc::invalid_request, "expiresAt is past");
  invite.expires_at = *expires;
  auto most = fields.maybe_integer("maxUses");
  if (!most) return std::unexpected(most.error());
  if (*most && **most < 1) return fail(Errc::invalid_request, "maxUses must be 1 or more");
  invite.max_uses = *most;
  return invite;
}

void write_invite(JsonWriter& json, const InviteRecord& invite) {
  json.open().key("inviteId").text(invite.id).key("convoId").text(invite.convo.value);
  json.key("createdBy").text(invite.created_by.value);
  json.key("createdAt").text(to_rfc3339(invite.at)).key("pskHash").text(invite.psk_hash);
  if (invite.target) json.key("targetDid").text(invite.target->value);
  if (invite.expires_at) json.key("expiresAt").text(to_rfc3339(*invite.expires_at));
  if (invite.max_uses) json.key("maxUses").number(static_cast<std::uint64_t>(*invite.max_uses));
  json.key("useCount").number(static_cast<std::uint64_t>(invite.uses));
  json.key("isRevoked").boolean(invite.revoked_at.has_value());
  if (invite.revoked_at) json.key("revokedAt").text(to_rfc3339(*invite.revoked_at));
  if (invite.revoked_by) json.key("revokedBy").text(invite.revoked_by->value);
  json.close();
}

Result<void> may_invite(const core::Snapshot& convo, const core::Did& user) {
  if (!convo.policy.allow_invites) {
    return fail(Errc::unauthorized, "the policy allows no invites");
  }
  return check_role(convo, user, convo.policy.members_invite() ? Needs::member : Needs::admin,
                    Errc::unauthorized);
}

struct Revocation {
  std::string id;
  core::Did by;
  Timestamp at;
};

Result<void> revoke(storage::TableWriter& tables, const Revocation& revocation) {
  auto invite = storage::select_one<InviteRecord>(tables, {.where = {where("id", revocation.id)}});
  if (!invite) return std::unexpected(invite.error());
  if (!*invite) return fail(Errc::invite_not_found);
  if ((*invite)->revoked_at) return fail(Errc::already_revoked);
  auto after = **invite;
  after.revoked_at = revocation.at;
  after.revoked_by = revocation.by;
  return replace(tables, **invite, after);
}

}  // namespace

Task<http::Response> handle_create_invite(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto invite = parse(body->fields(), call.caller.user, call.services->clock.now());
  if (!invite) co_return error_response(invite.error());
  auto loading =
      load_for(call.services, invite->convo, call.caller.user, Needs::member, Errc::unauthorized);
  auto convo = co_await loading;
  if (!convo) co_return error_response(convo.error());
  if (auto may = may_invite(*convo, call.caller.user); !may) {
    co_return error_response(may.error());
  }
  auto writing = add_record(call.services, *invite);
  auto done = co_await writing;
  if (!done) co_return error_response(done.error());
  JsonWriter json;
  json.open().key("inviteId").text(invite->id).key("invite");
  write_invite(json, *invite);
  json.close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_revoke_invite(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto id = text_within(body->fields(), "inviteId", core::record_id_bytes_max);
  if (!id) co_return error_response(id.error());
  auto reading = read<void>(
      call.services, [id = *id, user = call.caller.user](storage::Reader& reader) -> Result<void> {
        auto invite =
            storage::select_one<InviteRecord>(reader.tables(), {.where = {where("id", id)}});
        if (!invite) return std::unexpected(invite.error());
        if (!*invite) return fail(Errc::invite_not_found);
        const bool own = (*invite)->created_by == user;
        return check_role_at(reader, (*invite)->convo, user, own ? Needs::member : Needs::admin,
                             Errc::unauthorized, Errc::invite_not_found);
      });
  auto allowed = co_await reading;
  if (!allowed) co_return error_response(allowed.error());
  auto writing =
      write<void>(call.services,
                  [revocation = Revocation{.id = std::move(*id),
                                           .by = call.caller.user,
                                           .at = call.services->clock.now()}](
                      storage::UserWriter& writer) { return revoke(writer.tables(), revocation); });
  auto done = co_await writing;
  if (!done) co_return error_response(done.error());
  co_return success_response();
}

Task<http::Response> handle_list_invites(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto convo = convo_id_of(*query);
  if (!convo) co_return error_response(convo.error());
  const auto with_revoked = query->text("includeRevoked").value_or("false");
  if (with_revoked != "true" && with_revoked != "false") {
    co_return error_response(
        Error{Errc::invalid_request, "includeRevoked must be true or false", {}, 0});
  }
  storage::Selection wanted{.where = {}, .order = "at"};
  if (with_revoked == "false") {
    wanted.where.push_back({"revoked_at", storage::Filter::Op::is_null, {}});
  }
  auto reading = list_for<InviteRecord>(call.services, std::move(*convo), call.caller.user,
                                        Needs::admin, Errc::unauthorized, std::move(wanted));
  auto invites = co_await reading;
  if (!invites) co_return error_response(invites.error());
  JsonWriter json;
  json.open().key("invites").open_list();
  for (const auto& invite : *invites) write_invite(json, invite);
  json.close_list().close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
