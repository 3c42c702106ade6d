// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/strong.hpp"
#include "base/time.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace catbird::core {

/// The stable id of a conversation: lower-case hex of its first group id (contract README 8).
using ConvoId = Strong<std::string, struct ConvoIdTag>;
/// A bare user DID, never with a fragment.
using Did = Strong<std::string, struct DidTag>;
/// The fragment of a device DID, or empty for the user's single default device.
using DeviceId = Strong<std::string, struct DeviceIdTag>;
/// Client-chosen id of an application message: ULID or UUID, echoed verbatim.
using MsgId = Strong<std::string, struct MsgIdTag>;
/// Position of a row in its conversation: 1..N without a gap.
using Seq = Strong<std::uint64_t, struct SeqTag>;
/// RFC 9420 epoch of the group.
using Epoch = Strong<std::uint64_t, struct EpochTag>;
/// Counts every write to a conversation, row or not: the compare-and-set of the write statement.
using Version = Strong<std::uint64_t, struct VersionTag>;
/// Who may write a conversation (engine.md, Fences): grows only.
using Fence = Strong<std::uint64_t, struct FenceTag>;

using Hash = std::array<std::uint8_t, 32>;       // SHA-256
using SenderTag = std::array<std::uint8_t, 16>;  // keyed tag of (conversation, user)

/// The caller of a request: `user` is the verified issuer, `device` its fragment.
struct Caller {
  Did user;
  DeviceId device;
  friend bool operator==(const Caller&, const Caller&) = default;
};

/// What a numbered row is.
enum class Kind : std::uint8_t { app = 1, commit = 2, proposal = 3 };

/// (caller, method, key): at most one effect for ever; `payload` tells a retry from a misuse.
struct RequestKey {
  std::string method;  // the NSID's last segment
  std::string key;
  Hash payload{};
};

/// What a write answers, kept with its key so that a retry gets the whole first answer again.
struct Outcome {
  Seq seq;      // of the row it wrote, 0 if none
  Epoch epoch;  // after it
  Timestamp at;
  std::string detail;  // method-specific, opaque to the store
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

}  // namespace catbird::core
