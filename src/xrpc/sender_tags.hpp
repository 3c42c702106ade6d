// SPDX-License-Identifier: MIT
#pragma once

#include "core/types.hpp"

namespace catbird::xrpc {

/// Who sent a message, without saying who: HMAC-SHA-256(server key, conversation, user) cut to 16
/// bytes. Enough for idempotency and unread counts; useless without the key of CATBIRD_SECRET_FILE
/// (DECISIONS 23).
class SenderTags {
 public:
  explicit SenderTags(Bytes key) : key_(std::move(key)) {}
  core::SenderTag of(const core::ConvoId& convo, const core::Did& user) const;

 private:
  Bytes key_;
};

}  // namespace catbird::xrpc
