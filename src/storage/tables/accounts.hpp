// SPDX-License-Identifier: MIT
#pragma once

#include "base/time.hpp"
#include "core/types.hpp"
#include "storage/table.hpp"

#include <optional>
#include <string>

// What a user has here beside conversations: devices, push tokens, the opt-in.

namespace catbird::storage {

/// A key package that was handed out within core::drain_window_ms: the last time, and to whom.
struct KeyPackageClaim {
  core::Did user;
  std::int64_t package = 0;
  core::DeviceId device;
  std::uint16_t suite = 0;
  core::Did caller;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.package);
    visit(self.device);
    visit(self.suite);
    visit(self.caller);
    visit(self.at);
  }
};

/// A registered device. Its MLS credential is user#device.
struct DeviceRecord {
  core::Did user;
  core::DeviceId device;
  std::optional<std::string> uuid;  // the client's own name for it; one device per name
  std::string name;
  Bytes signature_key;
  Timestamp registered_at;
  Timestamp seen_at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.device);
    visit(self.uuid);
    visit(self.name);
    visit(self.signature_key);
    visit(self.registered_at);
    visit(self.seen_at);
  }
  friend bool operator==(const DeviceRecord&, const DeviceRecord&) = default;
};

/// Where a device can be woken. The token is sealed: only this server's secret opens it.
struct PushToken {
  core::Did user;
  core::DeviceId device;
  std::string platform;
  Bytes sealed;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.device);
    visit(self.platform);
    visit(self.sealed);
    visit(self.at);
  }
};

/// What a push sender has to learn, written with the change itself (L8). There is no sender yet.
struct PushNotice {
  core::Did user;
  core::DeviceId device;
  std::string what;  // "token-registered", "token-removed": the newest counts
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.device);
    visit(self.what);
    visit(self.at);
  }
};

/// The user wants to be found here.
struct OptInRecord {
  core::Did user;
  core::DeviceId device;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.user);
    visit(self.device);
    visit(self.at);
  }
};

/// Opens one WebSocket, once. Kept as its hash: a stolen database opens none.
struct SubscriptionTicket {
  Bytes ticket;  // SHA-256 of what the client has
  core::Did user;
  core::DeviceId device;
  std::optional<core::ConvoId> convo;  // for this one only
  Timestamp expires_at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.ticket);
    visit(self.user);
    visit(self.device);
    visit(self.convo);
    visit(self.expires_at);
  }
};

/// A new device of a member, which some other member has to add to the MLS group.
struct PendingAddition {
  std::string id;
  core::ConvoId convo;
  core::Did user;
  core::DeviceId device;
  std::string device_name;
  std::string status;                   // pending, done
  std::optional<core::Did> claimed_by;  // until claim_until; over means free again
  std::optional<Timestamp> claim_until;
  Timestamp at;

  static const TableSpec& table();
  template <class Self, class Visit>
  static void visit(Self& self, Visit&& visit) {
    visit(self.id);
    visit(self.convo);
    visit(self.user);
    visit(self.device);
    visit(self.device_name);
    visit(self.status);
    visit(self.claimed_by);
    visit(self.claim_until);
    visit(self.at);
  }
};

}  // namespace catbird::storage
