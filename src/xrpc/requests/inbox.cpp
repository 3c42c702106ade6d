// SPDX-License-Identifier: MIT
// listChatRequests, getRequestCount, and the settings of the one who receives.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/requests/rules.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>
#include <array>

namespace catbird::xrpc {

using storage::ChatRequestRecord;
using storage::ChatRequestSettings;
using storage::where;
using enum storage::Filter::Op;

namespace {

constexpr std::int64_t listing_max = 100;
constexpr std::int64_t listing_default = 50;
constexpr std::array<std::string_view, 5> statuses{"pending", "accepted", "declined", "blocked",
                                                   "expired"};

/// Those of `status` as status_of() sees it, the newest first: ids sort by time.
storage::Selection inbox(const core::Did& user, const std::string& status, Timestamp now) {
  storage::Selection selection;
  selection.where.push_back(where("recipient", user));
  if (status == "expired") {
    selection.where.push_back(
        storage::where_any("status", std::vector<std::string>{"pending", "expired"}));
    selection.where.push_back(where("expires_at", below, Timestamp(now.value + 1)));
  } else {
    selection.where.push_back(where("status", status));
    if (status == "pending") selection.where.push_back(where("expires_at", above, now));
  }
  selection.descending = true;
  return selection;
}

Result<storage::Selection> page_of(const Query& query, const core::Did& user, Timestamp now) {
  const auto status = query.text("status").value_or("pending");
  if (std::ranges::find(statuses, status) == statuses.end()) {
    return fail(Errc::invalid_request, "status has no such value");
  }
  auto limit = query.integer("limit", 1, listing_max);
  if (!limit) return std::unexpected(limit.error());
  auto page = inbox(user, status, now);
  page.rows_max = static_cast<std::size_t>(limit->value_or(listing_default)) + 1;
  if (auto cursor = query.text("cursor")) {
    if (cursor->empty() || cursor->size() > core::record_id_bytes_max) {
      return fail(Errc::invalid_cursor);
    }
    page.where.push_back(where("id", below, *cursor));
  }
  return page;
}

http::Response settings_response(const Result<ChatRequestSettings>& settings) {
  if (!settings) return error_response(settings.error());
  JsonWriter json;
  json.open().key("allowFollowersBypass").boolean(settings->followers_bypass);
  json.key("allowFollowingBypass").boolean(settings->following_bypass);
  json.key("autoExpireDays").number(settings->expire_days).close();
  return json_response(std::move(json));
}

}  // namespace

Task<http::Response> handle_list_chat_requests(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  const auto now = call.services->clock.now();
  auto page = page_of(*query, call.caller.user, now);
  if (!page) co_return error_response(page.error());
  auto reading =
      read<std::vector<ChatRequestRecord>>(call.services, [page = *page](storage::Reader& reader) {
        return storage::select<ChatRequestRecord>(reader.tables(), page);
      });
  auto rows = co_await reading;
  if (!rows) co_return error_response(rows.error());
  const bool more = rows->size() == page->rows_max;
  if (more) rows->pop_back();
  JsonWriter json;
  json.open().key("requests").open_list();
  for (const auto& row : *rows) {
    json.open().key("id").text(row.id).key("senderDid").text(row.sender.value);
    json.key("status").text(status_of(row, now));
    json.key("createdAt").text(to_rfc3339(row.at));
    json.key("expiresAt").text(to_rfc3339(row.expires_at));
    if (row.preview) json.key("previewText").text(*row.preview);
    json.key("messageCount").number(row.messages);
    json.key("isGroupInvite").boolean(row.group_invite);
    if (row.group_id) json.key("groupId").text(*row.group_id);
    json.close();
  }
  json.close_list();
  if (more) json.key("cursor").text(rows->back().id);
  json.close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_get_request_count(Call call) {
  if (auto query = Query::parse(call.request.query); !query) {
    co_return error_response(query.error());
  }
  struct Found {
    std::uint64_t count = 0;
    std::optional<ChatRequestRecord> newest;
  };
  auto reading = read<Found>(
      call.services,
      [user = call.caller.user,
       now = call.services->clock.now()](storage::Reader& reader) -> Result<Found> {
        const auto selection = inbox(user, "pending", now);
        auto count = storage::count<ChatRequestRecord>(reader.tables(), selection);
        if (!count) return std::unexpected(count.error());
        auto newest = storage::select_one<ChatRequestRecord>(reader.tables(), selection);
        if (!newest) return std::unexpected(newest.error());
        return Found{*count, std::move(*newest)};
      });
  auto found = co_await reading;
  if (!found) co_return error_response(found.error());
  JsonWriter json;
  json.open().key("pendingCount").number(found->count);
  json.key("count").number(found->count);  // its name in the served form of older clients
  if (found->newest) json.key("lastRequestAt").text(to_rfc3339(found->newest->at));
  json.close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_get_chat_request_settings(Call call) {
  if (auto query = Query::parse(call.request.query); !query) {
    co_return error_response(query.error());
  }
  auto reading =
      read<ChatRequestSettings>(call.services, [user = call.caller.user](storage::Reader& reader) {
        return settings_of(reader.tables(), user);
      });
  auto settings = co_await reading;
  co_return settings_response(settings);
}

Task<http::Response> handle_update_chat_request_settings(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto followers = body->fields().maybe_boolean("allowFollowersBypass");
  if (!followers) co_return error_response(followers.error());
  auto following = body->fields().maybe_boolean("allowFollowingBypass");
  if (!following) co_return error_response(following.error());
  auto days = body->fields().maybe_integer("autoExpireDays");
  if (!days) co_return error_response(days.error());
  if (*days && (**days < 1 || **days > core::request_expire_days_max)) {
    co_return error_response(Error{Errc::invalid_request, "autoExpireDays must be 1 to 30", {}, 0});
  }
  auto writing = write<ChatRequestSettings>(
      call.services,
      [user = call.caller.user, followers = *followers, following = *following,
       days = *days](storage::UserWriter& writer) -> Result<ChatRequestSettings> {
        auto settings = settings_of(writer.tables(), user);
        if (!settings) return settings;
        if (followers) settings->followers_bypass = *followers;
        if (following) settings->following_bypass = *following;
        if (days) settings->expire_days = static_cast<std::uint64_t>(*days);
        if (auto done = put(writer.tables(), *settings); !done) {
          return std::unexpected(done.error());
        }
        return settings;
      });
  auto settings = co_await writing;
  co_return settings_response(settings);
}

}  // namespace catbird::xrpc
