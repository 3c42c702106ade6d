// SPDX-License-Identifier: MIT
#include "xrpc/ask.hpp"

namespace catbird::xrpc {

Wait<Result<core::Outcome>> ask(Services* services, core::ConvoId convo, core::Command command) {
  return Wait<Result<core::Outcome>>(
      [services, convo = std::move(convo), command = std::move(command)](auto done) mutable {
        const auto deadline = services->timers.now() + services->settings.ask_deadline;
        services->gateway.ask(std::move(convo), std::move(command), deadline, std::move(done));
      });
}

Wait<Result<core::Access>> access(Services* services, core::ConvoId convo, core::Did user) {
  return Wait<Result<core::Access>>(
      [services, convo = std::move(convo), user = std::move(user)](auto done) mutable {
        const auto deadline = services->timers.now() + services->settings.ask_deadline;
        services->gateway.access(std::move(convo), std::move(user), deadline, std::move(done));
      });
}

}  // namespace catbird::xrpc
