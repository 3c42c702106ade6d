// SPDX-License-Identifier: MIT
// optIn, optOut, getOptInStatus: whether a user wants to be found here. It is told, never enforced.
#include "core/limits.hpp"
#include "storage/tables/accounts.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>

namespace catbird::xrpc {

using storage::OptInRecord;
using storage::where;

namespace {

Result<std::optional<OptInRecord>> find(storage::TableReader& tables, const core::Did& user) {
  return storage::select_one<OptInRecord>(tables, {.where = {where("user_did", user)}});
}

}  // namespace

// The first time counts: opting in again changes nothing.
Task<http::Response> handle_opt_in(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto named = maybe_text_within(body->fields(), "deviceId", core::device_id_bytes_max);
  if (!named) co_return error_response(named.error());
  const auto device = with_device(call.caller, *named);
  auto writing = write<Timestamp>(
      call.services,
      [device, now = call.services->clock.now()](storage::UserWriter& writer) -> Result<Timestamp> {
        auto& tables = writer.tables();
        auto added = insert(tables, OptInRecord{device.user, device.device, now});
        if (!added) return std::unexpected(added.error());
        if (*added) return now;
        auto known = find(tables, device.user);
        if (!known) return std::unexpected(known.error());
        if (!*known) return fail(Errc::retry, "opted out meanwhile");
        return (*known)->at;
      });
  auto at = co_await writing;
  if (!at) co_return error_response(at.error());
  JsonWriter json;
  json.open().key("optedIn").boolean(true).key("optedInAt").text(to_rfc3339(*at)).close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_opt_out(Call call) {
  // There is no input; what a client sends all the same must at least be JSON.
  if (!call.request.body.empty()) {
    auto body = Body::parse(call.request.body);
    if (!body) co_return error_response(body.error());
  }
  auto writing = write<void>(
      call.services, [user = call.caller.user](storage::UserWriter& writer) -> Result<void> {
        auto known = find(writer.tables(), user);
        if (!known) return std::unexpected(known.error());
        if (!*known) return {};
        return erase(writer.tables(), **known);
      });
  auto done = co_await writing;
  if (!done) co_return error_response(done.error());
  co_return success_response();
}

Task<http::Response> handle_get_opt_in_status(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  const auto texts = query->list("dids");
  if (texts.empty()) {
    co_return error_response(Error{Errc::invalid_request, "parameter dids is missing", {}, 0});
  }
  auto asked = users(texts, core::opt_in_dids_max);
  if (!asked) co_return error_response(asked.error());
  auto reading =
      read<std::vector<OptInRecord>>(call.services, [dids = *asked](storage::Reader& reader) {
        return storage::select<OptInRecord>(reader.tables(),
                                            {.where = {storage::where_any("user_did", dids)}});
      });
  auto records = co_await reading;
  if (!records) co_return error_response(records.error());
  JsonWriter json;
  json.open().key("statuses").open_list();
  for (const auto& did : *asked) {
    const auto it = std::ranges::find(*records, did, &OptInRecord::user);
    json.open().key("did").text(did.value).key("optedIn").boolean(it != records->end());
    if (it != records->end()) json.key("optedInAt").text(to_rfc3339(it->at));
    json.close();
  }
  json.close_list().close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
