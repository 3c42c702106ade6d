// SPDX-License-Identifier: MIT
#pragma once

#include "base/digest.hpp"
#include "core/types.hpp"

namespace catbird::xrpc {

/// Who sent a message, without saying who: HMAC-SHA-256(server key, conversation, user) cut to 16
/// bytes. Enough for idempotency and unread counts; useless without the key of CATBIRD_SECRET_FILE
/// (DECISIONS 23).
class SenderTags {
 public:
  explicit SenderTags(const Bytes& key) : key_(key) {}
  core::SenderTag of(const core::ConvoId& convo, const core::Did& user) const;

 private:
  HmacSha256 key_;
};

}  // namespace catbird::xrpc
