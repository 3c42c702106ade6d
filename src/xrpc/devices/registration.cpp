// SPDX-License-Identifier: MIT
#include "xrpc/devices/registration.hpp"

#include <algorithm>

namespace catbird::xrpc {

using storage::DeviceRecord;
using storage::PendingAddition;
using storage::PushNotice;
using storage::PushToken;
using storage::where;

namespace {

/// The record that `wanted` means, if it is registered.
Result<const DeviceRecord*> known_device(const std::vector<DeviceRecord>& devices,
                                         const Registration& wanted) {
  const auto by_key =
      std::ranges::find(devices, wanted.signature_key, &DeviceRecord::signature_key);
  if (wanted.uuid) {
    const auto by_uuid = std::ranges::find(devices, wanted.uuid, &DeviceRecord::uuid);
    const bool others_key = by_key != devices.end() && by_key != by_uuid;
    if (others_key && (by_key->uuid || by_uuid != devices.end())) {
      return fail(Errc::device_already_registered, "the signature key is another device's");
    }
    if (by_uuid != devices.end()) return &*by_uuid;
  }
  return by_key != devices.end() ? &*by_key : nullptr;
}

/// The device that the packages' credentials name, if any does.
Result<std::optional<core::DeviceId>> named_device(const Registration& wanted) {
  std::optional<core::DeviceId> named;
  for (const auto& upload : wanted.uploads) {
    const auto& device = upload.owner.device;
    if (device.value.empty()) continue;
    if (named && *named != device) {
      return fail(Errc::invalid_key_packages, "the credentials are of different devices");
    }
    named = device;
  }
  return named;
}

Result<core::DeviceId> keep(storage::UserWriter& writer, const DeviceRecord& known,
                            const Registration& wanted) {
  auto after = known;
  if (wanted.uuid) after.uuid = wanted.uuid;
  after.name = wanted.name;
  after.signature_key = wanted.signature_key;
  after.seen_at = std::max(known.seen_at, wanted.now);
  if (auto done = replace(writer.tables(), known, after); !done) {
    return std::unexpected(done.error());
  }
  if (after.signature_key != known.signature_key) {
    auto revoked = writer.revoke({known.user, known.device}, std::nullopt, wanted.now);
    if (!revoked) return std::unexpected(revoked.error());
  }
  return known.device;
}

/// What the members of a conversation hear of a new device.
core::Noted notice_of(const DeviceRecord& device, const std::string& addition) {
  core::Noted noted;
  noted.kind = core::NoticeKind::new_device;
  noted.user = device.user;
  noted.actor = device.user;
  noted.device = device.device;
  noted.reference = addition;
  noted.text = device.name;
  noted.at = device.registered_at;
  return noted;
}

Result<core::DeviceId> make(storage::UserWriter& writer, const std::vector<DeviceRecord>& devices,
                            const std::optional<core::DeviceId>& named,
                            const Registration& wanted) {
  if (devices.size() >= wanted.devices_max) {
    return fail(Errc::too_many_devices, "a user may have " + std::to_string(wanted.devices_max) +
                                            " devices: remove one first");
  }
  auto& tables = writer.tables();
  const DeviceRecord record{.user = wanted.user,
                            .device = named.value_or(wanted.fresh),
                            .uuid = wanted.uuid,
                            .name = wanted.name,
                            .signature_key = wanted.signature_key,
                            .registered_at = wanted.now,
                            .seen_at = wanted.now};
  auto added = insert(tables, record);
  if (!added) return std::unexpected(added.error());
  if (!*added) return fail(Errc::device_already_registered);
  for (std::size_t i = 0; i < wanted.convos.size(); ++i) {
    auto raised = insert(tables, PendingAddition{.id = wanted.addition_ids[i],
                                                 .convo = wanted.convos[i],
                                                 .user = wanted.user,
                                                 .device = record.device,
                                                 .device_name = wanted.name,
                                                 .status = "pending",
                                                 .claimed_by = std::nullopt,
                                                 .claim_until = std::nullopt,
                                                 .at = wanted.now});
    if (!raised) return std::unexpected(raised.error());
    auto told = writer.note(wanted.convos[i], notice_of(record, wanted.addition_ids[i]));
    if (!told) return std::unexpected(told.error());
  }
  return record.device;
}

}  // namespace

std::string devices_lock(const core::Did& user) { return "devices " + user.value; }

Result<std::vector<DeviceRecord>> devices_of(storage::TableReader& tables, const core::Did& user) {
  return storage::select<DeviceRecord>(
      tables, {.where = {where("user_did", user)}, .order = "registered_at"});
}

Result<std::optional<DeviceRecord>> find_device(storage::TableReader& tables,
                                                const core::Caller& device) {
  return storage::select_one<DeviceRecord>(
      tables, {.where = {where("user_did", device.user), where("device", device.device)}});
}

bool in_group(const storage::ConvoView& convo, const core::Caller& device) {
  const auto me = std::ranges::find(convo.members, device.user, &storage::MemberView::user);
  return me != convo.members.end() &&
         std::ranges::find(me->devices, device.device) != me->devices.end();
}

Result<void> forget_push_token(storage::TableWriter& tables, const core::Caller& device,
                               Timestamp now) {
  auto token = storage::select_one<PushToken>(
      tables, {.where = {where("user_did", device.user), where("device", device.device)}});
  if (!token) return std::unexpected(token.error());
  if (!*token) return {};  // as asked already
  if (auto done = erase(tables, **token); !done) return done;
  return put(tables, PushNotice{device.user, device.device, "token-removed", now});
}

Result<core::DeviceId> register_device(storage::UserWriter& writer, const Registration& wanted) {
  auto& tables = writer.tables();
  if (auto locked = tables.lock(devices_lock(wanted.user)); !locked) {
    return std::unexpected(locked.error());
  }
  auto devices = devices_of(tables, wanted.user);
  if (!devices) return std::unexpected(devices.error());
  auto known = known_device(*devices, wanted);
  if (!known) return std::unexpected(known.error());
  auto named = named_device(wanted);
  if (!named) return std::unexpected(named.error());
  if (*known != nullptr && *named && **named != (*known)->device) {
    return fail(Errc::invalid_key_packages, "the credentials are of another device");
  }
  auto device =
      *known != nullptr ? keep(writer, **known, wanted) : make(writer, *devices, *named, wanted);
  if (!device) return device;
  for (const auto& upload : wanted.uploads) {
    // A full pool is no reason to turn a device away that registers again.
    auto stored = writer.publish({wanted.user, *device}, upload.package, wanted.now);
    if (!stored) return std::unexpected(stored.error());
  }
  return device;
}

Result<std::uint64_t> delete_device(storage::UserWriter& writer, const core::Caller& device,
                                    Timestamp now) {
  auto& tables = writer.tables();
  if (auto locked = tables.lock(devices_lock(device.user)); !locked) {
    return std::unexpected(locked.error());
  }
  auto record = find_device(tables, device);
  if (!record) return std::unexpected(record.error());
  if (!*record) return fail(Errc::device_not_found);
  const storage::Selection its{
      .where = {where("user_did", device.user), where("device", device.device)}};
  if (auto done = forget_push_token(tables, device, now); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = storage::erase_rows<PendingAddition>(tables, its); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = storage::erase_rows<storage::SubscriptionTicket>(tables, its); !done) {
    return std::unexpected(done.error());
  }
  if (auto done = erase(tables, **record); !done) return std::unexpected(done.error());
  return writer.revoke(device, std::nullopt, now);
}

}  // namespace catbird::xrpc
