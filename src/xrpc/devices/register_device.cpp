// SPDX-License-Identifier: MIT
#include "core/limits.hpp"
#include "xrpc/ask.hpp"
#include "xrpc/devices/registration.hpp"
#include "xrpc/endpoints.hpp"
#include "xrpc/error_table.hpp"
#include "xrpc/shapes.hpp"
#include "xrpc/texts.hpp"

namespace catbird::xrpc {

namespace {

constexpr std::size_t signature_key_bytes = 32;  // Ed25519; the lexicon's limit

// Older clients spell it the second way.
Result<std::optional<std::string>> uuid_of(const Fields& fields) {
  auto uuid = maybe_text_within(fields, "deviceUUID", core::device_uuid_bytes_max);
  if (!uuid || *uuid) return uuid;
  return maybe_text_within(fields, "deviceUuid", core::device_uuid_bytes_max);
}

Result<std::vector<Upload>> uploads_of(const Fields& fields, const core::Did& user,
                                       const Bytes& signature_key, Timestamp now) {
  auto items = fields.maybe_objects("keyPackages");
  if (!items) return std::unexpected(items.error());
  if (items->size() > core::key_packages_per_device_max) {
    return fail(Errc::invalid_key_packages, "too many key packages for one device");
  }
  std::vector<Upload> uploads;
  for (std::size_t i = 0; i < items->size(); ++i) {
    const auto refuse = [i](const std::string& why) {
      return fail(Errc::invalid_key_packages, "keyPackages[" + std::to_string(i) + "]: " + why);
    };
    auto upload = check_upload((*items)[i], {user, {}}, now);
    if (!upload) {
      return refuse(upload.error().detail.empty()
                        ? std::string(error_row(upload.error().code).message)
                        : upload.error().detail);
    }
    if (upload->signature_key != signature_key) {
      return refuse("it is not signed with signaturePublicKey");
    }
    uploads.push_back(std::move(*upload));
  }
  return uploads;
}

Result<Registration> registration_of(const Fields& fields, const Call& call) {
  Registration wanted;
  wanted.user = call.caller.user;
  wanted.now = call.services->clock.now();
  wanted.devices_max = call.services->settings.devices_max;
  wanted.fresh = core::DeviceId(new_id());
  auto name =
      text_within(fields, "deviceName", core::device_name_bytes_max, Errc::invalid_device_name);
  if (!name) return std::unexpected(name.error());
  if (!printable(*name)) {
    return fail(Errc::invalid_device_name, "deviceName holds control characters");
  }
  wanted.name = std::move(*name);
  auto uuid = uuid_of(fields);
  if (!uuid) return std::unexpected(uuid.error());
  wanted.uuid = std::move(*uuid);
  auto key = fields.bytes("signaturePublicKey");
  if (!key) return std::unexpected(key.error());
  if (key->size() != signature_key_bytes) {
    return fail(Errc::invalid_signature_key, "signaturePublicKey must have 32 bytes");
  }
  wanted.signature_key = std::move(*key);
  auto uploads = uploads_of(fields, wanted.user, wanted.signature_key, wanted.now);
  if (!uploads) return std::unexpected(uploads.error());
  wanted.uploads = std::move(*uploads);
  return wanted;
}

}  // namespace

Task<http::Response> handle_register_device(Call call) {
  auto body = Body::parse(call.request.body);
  if (!body) co_return error_response(body.error());
  auto wanted = registration_of(body->fields(), call);
  if (!wanted) co_return error_response(wanted.error());

  auto reading = read<std::vector<storage::Window>>(
      call.services,
      [user = call.caller.user](storage::Reader& reader) { return reader.windows(user); });
  auto windows = co_await reading;
  if (!windows) co_return error_response(windows.error());
  for (auto& window : *windows) {
    wanted->convos.push_back(std::move(window.convo));
    wanted->addition_ids.push_back(new_id());
  }
  auto writing = write<core::DeviceId>(call.services,
                                       [wanted = std::move(*wanted)](storage::UserWriter& writer) {
                                         return register_device(writer, wanted);
                                       });
  auto device = co_await writing;
  if (!device) co_return error_response(device.error());
  JsonWriter json;
  json.open().key("deviceId").text(device->value);
  json.key("mlsDid").text(device_did(call.caller.user, *device));
  // A device comes into a group by a commit of a member, never by registering.
  json.key("autoJoinedConvos").open_list().close_list().close();
  co_return json_response(std::move(json));
}

}  // namespace catbird::xrpc
