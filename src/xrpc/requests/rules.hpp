// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"
#include "storage/tables/requests.hpp"
#include "storage/user_writer.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What chat requests do to the store, apart from HTTP. A request holds messages to somebody with
// whom there is no conversation; accepting it settles the group id under which there will be one.

namespace catbird::xrpc {

/// Pending, yet past its time: expired, whatever is stored.
std::string_view status_of(const storage::ChatRequestRecord& request, Timestamp now);

struct NewRequest {
  storage::ChatRequestRecord record;  // expires_at is set by the recipient's settings
  std::vector<storage::HeldMessage> messages;
};
/// Fails with blocked_by_recipient, duplicate_request, too_many_requests.
Result<storage::ChatRequestRecord> send_request(storage::TableWriter& tables, NewRequest request);

struct Decision {
  std::string id;
  core::Did recipient;
  std::string status;                   // accepted, declined
  std::string group_id;                 // of accepting a request that names none
  std::optional<std::string> reason{};  // of declining
  std::optional<std::string> details{};
  Timestamp now;
};
/// The same decision again gives what the first gave. Fails with request_not_found (also
/// another's), request_expired, already_processed.
Result<storage::ChatRequestRecord> decide_request(storage::TableWriter& tables,
                                                  const Decision& decision);
Result<std::vector<storage::HeldMessage>> held_messages(storage::TableReader& tables,
                                                        const std::string& request);

/// Declines what is pending of `blocked.sender`, now and from now on; gives how many.
Result<std::uint64_t> block_sender(storage::TableWriter& tables,
                                   const storage::BlockedSender& blocked);

/// What holds for a user who never chose.
Result<storage::ChatRequestSettings> settings_of(storage::TableReader& tables,
                                                 const core::Did& user);

}  // namespace catbird::xrpc
