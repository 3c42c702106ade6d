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

/// How often a job that met another transaction (Errc::retry) is tried in all.
inline constexpr unsigned job_tries_max = 8;

/// A job on its way through the lane, again while it meets others.
template <class T>
struct Writing : std::enable_shared_from_this<Writing<T>> {
  Services* services = nullptr;
  std::function<Result<T>(storage::UserWriter&)> work;
  std::move_only_function<void(Result<T>)> done;
  Result<T> value = fail(Errc::retry);
  unsigned tries = 0;

  void submit() {
    ++tries;
    actors::CommitLane::JobEntry entry;
    entry.home = &services->timers;
    // The job (lane thread) and its completion (worker) follow one another.
    entry.job.run = [self = this->shared_from_this()](storage::UserWriter& writer) -> Result<void> {
      self->value = self->work(writer);
      if (!self->value) return std::unexpected(self->value.error());
      return {};
    };
    entry.done = [self = this->shared_from_this()](storage::UserResult result) {
      self->settle(std::move(result));
    };
    services->lane.submit(std::move(entry));
  }

 private:
  void settle(storage::UserResult result) {
    if (result.status == storage::CommitStatus::committed) {
      done(std::move(value));
    } else if (result.status == storage::CommitStatus::rejected) {
      if (result.error.code == Errc::retry && tries < job_tries_max) {
        submit();
        return;
      }
      done(std::unexpected(std::move(result.error)));
    } else if (result.error.code == Errc::storage_full) {
      done(std::unexpected(std::move(result.error)));
    } else {
      done(fail(Errc::retry));
    }
  }
};

/// A short write outside conversations; `work` may run more than once and then starts over, so it
/// must assign its result, not append to it. The value is durable when it arrives.
template <class T>
Wait<Result<T>> write(Services* services, std::function<Result<T>(storage::UserWriter&)> work) {
  return Wait<Result<T>>([services, work = std::move(work)](auto done) mutable {
    auto writing = std::make_shared<Writing<T>>();
    writing->services = services;
    writing->work = std::move(work);
    writing->done = std::move(done);
    writing->submit();
  });
}

}  // namespace catbird::xrpc
