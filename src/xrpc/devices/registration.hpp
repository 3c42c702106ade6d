// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"
#include "storage/tables/accounts.hpp"
#include "storage/user_writer.hpp"
#include "xrpc/key_packages/upload.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

// What registering and removing a device does to the store, apart from HTTP.

namespace catbird::xrpc {

/// A registration that passed every check that needs no store.
struct Registration {
  core::Did user;
  std::optional<std::string> uuid;
  std::string name;
  Bytes signature_key;
  std::vector<Upload> uploads;
  core::DeviceId fresh;                   // its id if it is new
  std::vector<std::string> addition_ids;  // one for each of `convos`
  std::vector<core::ConvoId> convos;      // in which the user is active
  std::size_t devices_max = 0;
  Timestamp now;
};

/// One transaction: the same device again (by uuid; without one by its signature key) keeps its id
/// and gets name, key and packages; a new one is counted against devices_max and raises an addition
/// in each conversation. A new signature key ends the packages of the old one (RFC 9750 §5.1).
/// Fails with device_already_registered, too_many_devices, invalid_key_packages.
Result<core::DeviceId> register_device(storage::UserWriter& writer, const Registration& wanted);

/// Its packages, push token and waiting additions go with it; nothing of another device does. Gives
/// the number of packages. device_not_found.
Result<std::uint64_t> delete_device(storage::UserWriter& writer, const core::Caller& device,
                                    Timestamp now);

Result<std::optional<storage::DeviceRecord>> find_device(storage::TableReader& tables,
                                                         const core::Caller& device);
/// In order of registration.
Result<std::vector<storage::DeviceRecord>> devices_of(storage::TableReader& tables,
                                                      const core::Did& user);

/// Whether the device is known to be in the group of a conversation of its user.
bool in_group(const storage::ConvoView& convo, const core::Caller& device);

/// Forgets a device's push token, if it has one, and says so to the push sender.
Result<void> forget_push_token(storage::TableWriter& tables, const core::Caller& device,
                               Timestamp now);

/// Changes of one user's devices happen one after another.
std::string devices_lock(const core::Did& user);

}  // namespace catbird::xrpc
