// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.hpp"
#include "core/types.hpp"
#include "http/message.hpp"
#include "storage/reader.hpp"
#include "xrpc/input.hpp"
#include "xrpc/json_writer.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The forms shared by several methods: ids, DIDs, views. One place, so that they cannot differ.

namespace catbird::xrpc {

/// A conversation id as clients write it; hex is folded to lower case. invalid_request if empty or
/// absurdly long; whether it exists is nobody's business (A6).
Result<core::ConvoId> convo_id(std::string text);
/// The `convoId` of a request.
Result<core::ConvoId> convo_id_of(const Fields& fields);
Result<core::ConvoId> convo_id_of(const Query& query);

/// A user DID, or a device DID (`did#device`, contract README 9).
struct Address {
  core::Did user;
  std::optional<core::DeviceId> device;
};
Result<Address> address(std::string_view text);
/// The user that a required field names.
Result<core::Did> user_of(const Fields& fields, std::string_view name);
/// Bare user DIDs of a list (a device is allowed and cut off); too_many_dids above `max`.
Result<std::vector<core::Did>> users(const std::vector<std::string>& texts, std::size_t max);

/// The caller with its device: the fragment of `iss`, else `deviceId` of the request (DECISIONS
/// 15).
core::Caller with_device(core::Caller caller, const std::optional<std::string>& device_id);

/// A device's DID, as its MLS credential says it: user#device.
std::string device_did(const core::Did& user, const core::DeviceId& device);

/// blue.catbird.mls.defs#messageView.
void write_message_view(JsonWriter& json, const storage::Row& row);
/// blue.catbird.mls.defs#convoView.
void write_convo_view(JsonWriter& json, const storage::ConvoView& view);
std::string_view kind_name(core::Kind kind);
/// The lexicon's name of a suite, or its number where it has none.
std::string suite_name(std::uint16_t suite);

http::Response json_response(JsonWriter json);
/// {"success":true}
http::Response success_response();

}  // namespace catbird::xrpc
