// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/key_packages/upload.hpp"
#include "xrpc/shapes.hpp"

#include <utility>
#include <vector>

// publishKeyPackage and publishKeyPackages. The same bytes again are stored once, so a retry needs
// no key of its own.

namespace catbird::xrpc {

namespace {

struct Failure {
  std::size_t index;
  Error error;
};

using Published = std::vector<storage::PublishResult>;

// An upload on behalf of the device that the token names, else the item, else the batch.
Result<Upload> check_item(const Fields& item, core::Caller caller, Timestamp now,
                          const std::optional<std::string>& batch_device = std::nullopt) {
  auto named = item.maybe_text("deviceId");
  if (!named) return std::unexpected(named.error());
  caller = with_device(with_device(std::move(caller), *named), batch_device);
  return check_upload(item, caller, now);
}

Wait<Result<Published>> publish(Services* services, std::vector<Upload> uploads, Timestamp now) {
  return write<Published>(
      services,
      [uploads = std::move(uploads), now](storage::UserWriter& writer) -> Result<Published> {
        Published results;
        for (const auto& upload : uploads) {
          auto result = writer.publish(upload.owner, upload.package, now);
          if (!result) return std::unexpected(result.error());
          results.push_back(*result);
        }
        return results;
      });
}

}  // namespace

Task<http::Response> handle_publish_key_package(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  const auto now = call.services->clock.now();
  auto upload = check_item(body->fields(), call.caller, now);
  if (!upload) co_return error_response(upload.error());

  std::vector<Upload> one;
  one.push_back(std::move(*upload));
  auto publishing = publish(call.services, std::move(one), now);
  auto results = co_await publishing;
  if (!results) co_return error_response(results.error());
  if (results->front() == storage::PublishResult::pool_full) {
    co_return error_response(Error{Errc::too_many_key_packages, {}, {}, 0});
  }
  co_return success_response();
}

Task<http::Response> handle_publish_key_packages(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto items = body->fields().maybe_objects("keyPackages");
  if (!items) co_return error_response(items.error());
  if (items->empty()) {
    co_return error_response(Error{Errc::invalid_request, "keyPackages is empty", {}, 0});
  }
  if (items->size() > core::key_packages_batch_max) {
    co_return error_response(Error{Errc::batch_too_large, {}, {}, 0});
  }
  auto batch_device = body->fields().maybe_text("deviceId");
  if (!batch_device) co_return error_response(batch_device.error());
  const auto now = call.services->clock.now();
  std::vector<Upload> uploads;
  std::vector<std::size_t> places;  // index in the request of each upload
  std::vector<Failure> failures;
  for (std::size_t i = 0; i < items->size(); ++i) {
    auto upload = check_item((*items)[i], call.caller, now, *batch_device);
    if (upload) {
      uploads.push_back(std::move(*upload));
      places.push_back(i);
    } else {
      failures.push_back({i, std::move(upload.error())});
    }
  }
  auto publishing = publish(call.services, std::move(uploads), now);
  auto results = co_await publishing;
  if (!results) co_return error_response(results.error());

  std::size_t stored = 0;
  std::size_t skipped = 0;
  for (std::size_t i = 0; i < results->size(); ++i) {
    if ((*results)[i] == storage::PublishResult::pool_full) {
      failures.push_back({places[i], {Errc::too_many_key_packages, {}, {}, 0}});
    } else {
      ++stored;
      if ((*results)[i] == storage::PublishResult::duplicate) ++skipped;
    }
  }
  JsonWriter json;
  json.open().key("succeeded").number(stored).key("failed").number(failures.size());
  json.key("skipped").number(skipped);
  if (!failures.empty()) {
    json.key("errors").open_list();
    for (const auto& failure : failures) {
      const auto& row = error_row(failure.error.code);
      std::string text(row.name);
      text.append(": ");
      text.append(failure.error.detail.empty() ? row.message
                                               : std::string_view(failure.error.detail));
      json.open().key("index").number(failure.index).key("error").text(text).close();
    }
    json.close_list();
  }
  json.close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
