// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "mls/verify.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/key_packages/stats.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <string>

namespace catbird::xrpc {

namespace {

constexpr std::uint64_t fixed_point = 100;  // predecessor: averages are integers times 100

std::string duration_text(std::int64_t ms) {
  if (ms <= 0) return "expired";
  const auto seconds = ms / 1000;
  const auto minutes = seconds / 60;
  const auto hours = minutes / 60;
  const auto days = hours / 24;
  if (days > 0) return std::to_string(days) + "d " + std::to_string(hours % 24) + "h";
  if (hours > 0) return std::to_string(hours) + "h " + std::to_string(minutes % 60) + "m";
  if (minutes > 0) return std::to_string(minutes) + "m";
  return std::to_string(seconds) + "s";
}

}  // namespace

storage::SuiteStats sum_of(const std::vector<storage::SuiteStats>& all) {
  storage::SuiteStats sum;
  for (const auto& one : all) {
    sum.available += one.available;
    sum.reserved += one.reserved;
    sum.consumed += one.consumed;
    sum.total += one.total;
    sum.consumed_24h += one.consumed_24h;
    sum.consumed_7d += one.consumed_7d;
    if (one.oldest_expiry && (!sum.oldest_expiry || *one.oldest_expiry < *sum.oldest_expiry)) {
      sum.oldest_expiry = one.oldest_expiry;
    }
  }
  return sum;
}

Task<http::Response> handle_get_key_package_stats(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  core::Did target = call.caller.user;
  if (auto text = query->text("did"); text && !text->empty()) {
    auto parsed = address(*text);
    if (!parsed) co_return error_response(parsed.error());
    target = std::move(parsed->user);
  }
  const auto suite_text = query->text("cipherSuite");
  const auto* suite = suite_text ? mls::suite_by_name(*suite_text) : nullptr;
  if (suite_text && suite == nullptr) {
    co_return error_response(Error{Errc::invalid_cipher_suite, {}, {}, 0});
  }
  const auto now = call.services->clock.now();
  auto reading = read<std::vector<storage::SuiteStats>>(
      call.services,
      [target, now](storage::Reader& reader) { return reader.key_package_stats(target, now); });
  auto stats = co_await reading;
  if (!stats) co_return error_response(stats.error());
  if (suite != nullptr) {
    std::erase_if(*stats, [&](const auto& one) { return one.suite != suite->id; });
  }
  const auto sum = sum_of(*stats);
  const auto daily = sum.consumed_7d * fixed_point / 7;

  JsonWriter json;
  json.open().key("available").number(sum.available);
  json.key("threshold").number(core::key_packages_low);
  json.key("needsReplenish").boolean(sum.available < core::key_packages_low);
  json.key("total").number(sum.total);
  json.key("consumed").number(sum.consumed);
  json.key("consumedLast24h").number(sum.consumed_24h);
  json.key("consumedLast7d").number(sum.consumed_7d);
  json.key("averageDailyConsumption").number(daily);
  if (daily > 0) {
    json.key("predictedDepletionDays").number(sum.available * fixed_point * fixed_point / daily);
  }
  if (sum.oldest_expiry) {
    json.key("oldestExpiresIn").text(duration_text(sum.oldest_expiry->value - now.value));
  }
  if (suite == nullptr) {
    json.key("byCipherSuite").open_list();
    for (const auto& one : *stats) {
      json.open().key("cipherSuite").text(suite_name(one.suite));
      json.key("available").number(one.available).key("consumed").number(one.consumed).close();
    }
    json.close_list();
  }
  json.close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
