// SPDX-License-Identifier: MIT
// What an owner is told of its key packages: getKeyPackageHistory, getKeyPackageStatus,
// syncKeyPackages.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/key_packages/stats.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>
#include <charconv>

namespace catbird::xrpc {

namespace {

constexpr std::int64_t listing_max = 100;
constexpr std::int64_t listing_default = 20;

/// The page of used packages that `query` asks for, and one more to see whether there are more.
Result<storage::PackageQuery> used_page(const Query& query, const core::Did& user, Timestamp now) {
  storage::PackageQuery page;
  page.user = user;
  page.used = true;
  page.now = now;
  auto limit = query.integer("limit", 1, listing_max);
  if (!limit) return std::unexpected(limit.error());
  page.rows_max = static_cast<std::size_t>(limit->value_or(listing_default)) + 1;
  if (const auto cursor = query.text("cursor")) {
    std::int64_t below = 0;
    const auto* end = cursor->data() + cursor->size();
    const auto read = std::from_chars(cursor->data(), end, below);
    if (read.ec != std::errc() || read.ptr != end || below < 1) return fail(Errc::invalid_cursor);
    page.below = below;
  }
  return page;
}

/// Cuts the row too many off; where to go on, if there was one.
std::optional<std::string> next_cursor(std::vector<storage::PackageView>& rows,
                                       const storage::PackageQuery& page) {
  if (rows.size() < page.rows_max) return std::nullopt;
  rows.pop_back();
  return std::to_string(rows.back().id);
}

struct Sync {
  std::vector<Bytes> server;   // what is left
  std::vector<Bytes> orphans;  // what the client did not know
  std::uint64_t deleted = 0;
};

Result<Sync> sync(storage::Reader& reader, const core::Caller& owner,
                  const std::vector<Bytes>& local, Timestamp now) {
  storage::PackageQuery query;
  query.user = owner.user;
  query.device = owner.device;
  query.now = now;
  auto rows = reader.packages(query);
  if (!rows) return std::unexpected(rows.error());
  Sync out;
  for (auto& row : *rows) {
    const bool known = std::ranges::binary_search(local, row.hash);
    (known || row.reserved ? out.server : out.orphans).push_back(std::move(row.hash));
  }
  return out;
}

Result<std::vector<Bytes>> local_hashes(const Fields& fields) {
  auto texts = fields.maybe_texts("localHashes");
  if (!texts) return std::unexpected(texts.error());
  if (texts->size() > core::sync_hashes_max) return fail(Errc::batch_too_large);
  std::vector<Bytes> hashes;
  for (const auto& text : *texts) {
    auto hash = hash_of_hex(text);
    if (!hash) return fail(Errc::invalid_request, "localHashes must be SHA-256 in hexadecimal");
    hashes.push_back(std::move(*hash));
  }
  std::ranges::sort(hashes);
  return hashes;
}

}  // namespace

Task<http::Response> handle_get_key_package_history(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  auto page = used_page(*query, call.caller.user, call.services->clock.now());
  if (!page) co_return error_response(page.error());
  auto reading = read<std::vector<storage::PackageView>>(
      call.services, [page = *page](storage::Reader& reader) { return reader.packages(page); });
  auto rows = co_await reading;
  if (!rows) co_return error_response(rows.error());
  const auto cursor = next_cursor(*rows, *page);
  JsonWriter json;
  json.open().key("history").open_list();
  for (const auto& row : *rows) {
    json.open().key("packageId").text(to_hex(row.hash));
    json.key("createdAt").text(to_rfc3339(row.published_at));
    json.key("consumedAt").text(to_rfc3339(*row.consumed_at));
    if (!row.device.value.empty()) json.key("deviceId").text(row.device.value);
    json.key("cipherSuite").text(suite_name(row.suite)).close();
  }
  json.close_list();
  if (cursor) json.key("cursor").text(*cursor);
  json.close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_get_key_package_status(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  const auto now = call.services->clock.now();
  auto page = used_page(*query, call.caller.user, now);
  if (!page) co_return error_response(page.error());
  struct Found {
    std::vector<storage::SuiteStats> stats;
    std::vector<storage::PackageView> used;
  };
  auto reading = read<Found>(
      call.services,
      [page = *page, user = call.caller.user, now](storage::Reader& reader) -> Result<Found> {
        auto stats = reader.key_package_stats(user, now);
        if (!stats) return std::unexpected(stats.error());
        auto used = reader.packages(page);
        if (!used) return std::unexpected(used.error());
        return Found{std::move(*stats), std::move(*used)};
      });
  auto found = co_await reading;
  if (!found) co_return error_response(found.error());
  const auto sum = sum_of(found->stats);
  const auto cursor = next_cursor(found->used, *page);
  JsonWriter json;
  json.open().key("totalUploaded").number(sum.total).key("available").number(sum.available);
  json.key("consumed").number(sum.consumed).key("reserved").number(sum.reserved);
  json.key("consumedPackages").open_list();
  for (const auto& row : found->used) {
    json.open().key("keyPackageHash").text(to_hex(row.hash));
    json.key("consumedAt").text(to_rfc3339(*row.consumed_at));
    json.key("cipherSuite").text(suite_name(row.suite)).close();
  }
  json.close_list();
  if (cursor) json.key("cursor").text(*cursor);
  json.close();
  co_return json_response(std::move(json));
}

// Packages whose private keys the device no longer has can only do harm: they go. Those of other
// devices, and what somebody has just fetched, are left alone.
Task<http::Response> handle_sync_key_packages(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto local = local_hashes(body->fields());
  if (!local) co_return error_response(local.error());
  auto id = text_within(body->fields(), "deviceId", core::device_id_bytes_max);
  if (!id) co_return error_response(id.error());
  if (!call.caller.device.value.empty() && call.caller.device.value != *id) {
    co_return error_response(
        Error{Errc::invalid_request, "deviceId is not the token's device", {}, 0});
  }
  const core::Caller owner{call.caller.user, core::DeviceId(*id)};
  const auto now = call.services->clock.now();
  auto reading =
      read<Sync>(call.services, [owner, local = std::move(*local), now](storage::Reader& reader) {
        return sync(reader, owner, local, now);
      });
  auto found = co_await reading;
  if (!found) co_return error_response(found.error());
  if (!found->orphans.empty()) {
    // Only what was seen above: a package published meanwhile stays.
    auto writing = write<std::uint64_t>(
        call.services, [owner, orphans = found->orphans, now](storage::UserWriter& writer) {
          return writer.revoke(owner, orphans, now);
        });
    auto deleted = co_await writing;
    if (!deleted) co_return error_response(deleted.error());
    found->deleted = *deleted;
  }
  JsonWriter json;
  json.open().key("serverHashes").open_list();
  for (const auto& hash : found->server) json.text(to_hex(hash));
  json.close_list().key("orphanedCount").number(found->orphans.size());
  json.key("deletedCount").number(found->deleted);
  json.key("orphanedHashes").open_list();
  for (const auto& hash : found->orphans) json.text(to_hex(hash));
  json.close_list().key("remainingAvailable").number(found->server.size());
  json.key("deviceId").text(*id).close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
