// SPDX-License-Identifier: MIT
#pragma once

#include "base/time.hpp"
#include "core/types.hpp"
#include "storage/table.hpp"

#include <optional>
#include <string>

// Chat requests: what somebody sends to a user before there is a conversation.

namespace catbird::storage {

struct ChatRequestRecord {
  std::string id;
  core::Did sender;
  core::Did recipient;
  std::string
      status;  // pending, accepted, declined, blocked; a pending one past expires_at is over
  Timestamp at;
  Timestamp expires_at;
  std::optional<std::string> preview;
  bool group_invite = false;
  std::optional<std::string> group_id;  // accepted ones have it
  std::uint64_t messages = 0;           // held ones
  std::optional<Timestamp> decided_at;
  std::optional<std::string> reason;  // of declining: spam, harassment, inappropriate, other
  std::optional<std::string> details;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.id);
    visit(self.sender);
    visit(self.recipient);
    visit(self.status);
    visit(self.at);
    visit(self.expires_at);
    visit(self.preview);
    visit(self.group_invite);
    visit(self.group_id);
    visit(self.messages);
    visit(self.decided_at);
    visit(self.reason);
    visit(self.details);
  }
};

/// A message that waits with its request: opaque bytes, as all messages.
struct HeldMessage {
  std::string request;
  std::uint64_t number = 0;  // from 1
  std::uint64_t padded_size = 0;
  Bytes ephemeral_key;  // may be empty
  Bytes ciphertext;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.request);
    visit(self.number);
    visit(self.padded_size);
    visit(self.ephemeral_key);
    visit(self.ciphertext);
  }
};

struct ChatRequestSettings {
  core::Did user;
  bool followers_bypass = true;
  bool following_bypass = false;
  std::uint64_t expire_days = 7;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.followers_bypass);
    visit(self.following_bypass);
    visit(self.expire_days);
  }
};

/// `user` takes no more requests of `sender`.
struct BlockedSender {
  core::Did user;
  core::Did sender;
  std::string reason;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.sender);
    visit(self.reason);
    visit(self.at);
  }
};

}  // namespace catbird::storage
