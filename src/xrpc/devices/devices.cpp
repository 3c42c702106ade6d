// SPDX-License-Identifier: MIT
// listDevices, deleteDevice, validateDeviceState.
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

#include <algorithm>

namespace catbird::xrpc {

namespace {

struct Inventory {
  std::vector<storage::DeviceRecord> devices;
  std::vector<storage::PackageView> packages;  // that can still be used
  std::size_t convos = 0;                      // in which the user is active
  std::size_t with_device = 0;                 // … and the device is known to be in the group

  std::size_t packages_of(const core::DeviceId& device) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        packages, [&](const auto& one) { return one.device == device && !one.reserved; }));
  }
};

Result<Inventory> load_inventory(storage::Reader& reader, const core::Did& user, Timestamp now) {
  Inventory inventory;
  auto devices = devices_of(reader.tables(), user);
  if (!devices) return std::unexpected(devices.error());
  inventory.devices = std::move(*devices);
  storage::PackageQuery query;
  query.user = user;
  query.now = now;
  auto packages = reader.packages(query);
  if (!packages) return std::unexpected(packages.error());
  inventory.packages = std::move(*packages);
  return inventory;
}

Result<void> count_convos(storage::Reader& reader, const core::Caller& device,
                          Inventory& inventory) {
  storage::ConvoQuery all;
  all.user = device.user;
  auto page = reader.convos(all);
  if (!page) return std::unexpected(page.error());
  inventory.convos = page->convos.size();
  inventory.with_device = static_cast<std::size_t>(std::ranges::count_if(
      page->convos, [&](const auto& convo) { return in_group(convo, device); }));
  return {};
}

}  // namespace

Task<http::Response> handle_list_devices(Call call) {
  if (auto query = Query::parse(call.request.query); !query) {
    co_return error_response(query.error());
  }
  auto reading = read<Inventory>(
      call.services, [user = call.caller.user, now = call.services->clock.now()](
                         storage::Reader& reader) { return load_inventory(reader, user, now); });
  auto inventory = co_await reading;
  if (!inventory) co_return error_response(inventory.error());
  JsonWriter json;
  json.open().key("devices").open_list();
  for (const auto& device : inventory->devices) {
    json.open().key("deviceId").text(device.device.value).key("deviceName").text(device.name);
    if (device.uuid) json.key("deviceUUID").text(*device.uuid);
    json.key("credentialDid").text(device_did(device.user, device.device));
    json.key("lastSeenAt").text(to_rfc3339(device.seen_at));
    json.key("registeredAt").text(to_rfc3339(device.registered_at));
    json.key("keyPackageCount").number(inventory->packages_of(device.device)).close();
  }
  json.close_list().close();
  co_return json_response(std::move(json));
}

Task<http::Response> handle_delete_device(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto id = text_within(body->fields(), "deviceId", core::device_id_bytes_max);
  if (!id) co_return error_response(id.error());
  const core::Caller device{call.caller.user, core::DeviceId(std::move(*id))};
  auto writing = write<std::uint64_t>(
      call.services, [device, now = call.services->clock.now()](storage::UserWriter& writer) {
        return delete_device(writer, device, now);
      });
  auto packages = co_await writing;
  if (!packages) co_return error_response(packages.error());
  call.services->hub.end_device(device.user, device.device);
  JsonWriter json;
  json.open().key("deleted").boolean(true).key("keyPackagesDeleted").number(*packages).close();
  co_return json_response(std::move(json));
}

// What a client can put right by itself: it is told so, one issue and one recommendation each.
Task<http::Response> handle_validate_device_state(Call call) {
  auto query = Query::parse(call.request.query);
  if (!query) co_return error_response(query.error());
  const auto device = with_device(call.caller, query->text("deviceId"));
  auto reading = read<Inventory>(
      call.services,
      [device, now = call.services->clock.now()](storage::Reader& reader) -> Result<Inventory> {
        auto inventory = load_inventory(reader, device.user, now);
        if (!inventory) return inventory;
        auto counted = count_convos(reader, device, *inventory);
        if (!counted) return std::unexpected(counted.error());
        return inventory;
      });
  auto inventory = co_await reading;
  if (!inventory) co_return error_response(inventory.error());

  const auto registered = std::ranges::any_of(
      inventory->devices, [&](const auto& one) { return one.device == device.device; });
  const auto mine = inventory->packages_of(device.device);
  std::vector<std::string_view> issues;
  std::vector<std::string_view> advice;
  if (!registered) {
    issues.emplace_back("the device is not registered");
    advice.emplace_back("call registerDevice");
  }
  if (mine < core::key_packages_low) {
    issues.emplace_back("the device has few key packages");
    advice.emplace_back("call publishKeyPackages");
  }
  if (inventory->with_device < inventory->convos) {
    issues.emplace_back("the device is not in every group of its user");
    advice.emplace_back("wait to be added, or join with processExternalCommit");
  }
  JsonWriter json;
  json.open().key("isValid").boolean(issues.empty());
  json.key("issues").open_list();
  for (const auto issue : issues) json.text(issue);
  json.close_list().key("recommendations").open_list();
  for (const auto one : advice) json.text(one);
  json.close_list();
  json.key("expectedConvos").number(inventory->convos);
  json.key("actualConvos").number(inventory->with_device);
  json.key("keyPackageInventory").open();
  const auto all = static_cast<std::size_t>(
      std::ranges::count_if(inventory->packages, [](const auto& one) { return !one.reserved; }));
  json.key("available").number(all).key("target").number(core::key_packages_target);
  json.key("needsReplenishment").boolean(mine < core::key_packages_low);
  json.key("perDeviceCount").number(mine).close().close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
