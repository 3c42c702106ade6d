// SPDX-License-Identifier: MIT
#pragma once

#include "actors/gateway.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

namespace catbird::actors {

/// A command with its caller's reply. Kept until the reply is given: what was decided on a head
/// that is thrown away is decided again, not refused.
struct CommandLetter {
  core::Command command;
  Reply reply;
};
struct AccessLetter {
  core::Did user;
  AccessReply reply;
};

/// What waits in a mailbox or behind a gate.
struct Letter {
  std::variant<CommandLetter, AccessLetter> what;
  Instant deadline{};
  Instant arrived{};
  std::uint32_t attempts = 0;  // decisions on heads that did not hold
  std::uint32_t breaks = 0;    // activations that it broke itself
  std::size_t bytes = 0;

  void refuse(Error error) {
    if (auto* command = std::get_if<CommandLetter>(&what)) {
      command->reply(std::unexpected(std::move(error)));
    } else {
      std::get<AccessLetter>(what).reply(std::unexpected(std::move(error)));
    }
  }
};

/// Bytes of the blobs a letter keeps alive; the mailbox bounds count these.
std::size_t letter_bytes(const core::Command& command);

}  // namespace catbird::actors
