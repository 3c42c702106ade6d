// SPDX-License-Identifier: MIT
#pragma once

#include "core/conversation.hpp"
#include "storage/reader.hpp"
#include "storage/user_writer.hpp"
#include "xrpc/services.hpp"
#include "xrpc/task.hpp"

#include <memory>
#include <utility>

// The waits an endpoint needs: name one, then co_await it.
//   auto asked = ask(services, convo, std::move(command));
//   auto outcome = co_await asked;

namespace catbird::xrpc {

/// A command through the conversation's actor; the outcome is durable.
Wait<Result<core::Outcome>> ask(Services* services, core::ConvoId convo, core::Command command);
/// What `user` may read (not_member for strangers and for conversations that do not exist).
Wait<Result<core::Access>> access(Services* services, core::ConvoId convo, core::Did user);

/// A blocking read on a reader thread; the endpoint continues there.
template <class T>
Wait<Result<T>> read(Services* services,
                     std::move_only_function<Result<T>(storage::Reader&)> query) {
  return Wait<Result<T>>([services, query = std::move(query)](auto done) mutable {
    services->readers.run([query = std::move(query), done = std::move(done)](
                              storage::Reader& reader) mutable { done(query(reader)); });
  });
}

/// A short write outside conversations; `work` may run more than once and then starts over, so it
/// must assign its result, not append to it. The value is durable when it arrives.
template <class T>
Wait<Result<T>> write(Services* services, std::function<Result<T>(storage::UserWriter&)> work) {
  return Wait<Result<T>>([services, work = std::move(work)](auto done) mutable {
    // Shared by the job (lane thread) and its completion (worker), one after the other.
    auto value = std::make_shared<Result<T>>(fail(Errc::retry));
    actors::CommitLane::JobEntry entry;
    entry.home = &services->timers;
    entry.job.run = [value, work = std::move(work)](storage::UserWriter& writer) -> Result<void> {
      *value = work(writer);
      if (!*value) return std::unexpected(value->error());
      return {};
    };
    entry.done = [value, done = std::move(done)](storage::UserResult result) mutable {
      if (result.status == storage::CommitStatus::committed) {
        done(std::move(*value));
      } else if (result.status == storage::CommitStatus::rejected) {
        done(std::unexpected(std::move(result.error)));
      } else if (result.error.code == Errc::storage_full) {
        done(std::unexpected(std::move(result.error)));
      } else {
        done(fail(Errc::retry));
      }
    };
    services->lane.submit(std::move(entry));
  });
}

}  // namespace catbird::xrpc
