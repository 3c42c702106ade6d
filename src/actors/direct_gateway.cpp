// SPDX-License-Identifier: MIT
#include "actors/direct_gateway.hpp"

#include "actors/letter.hpp"
#include "actors/limits.hpp"
#include "actors/write_set.hpp"
#include "base/mutant.hpp"
#include "obs/log.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace catbird::actors {

namespace {

constexpr std::string_view log_target = "catbird_server::actors::direct";

Error overloaded() { return {Errc::overloaded, "the server is busy", std::nullopt, 1}; }
Error too_late() { return {Errc::deadline, "not started in time", std::nullopt, 0}; }

}  // namespace

/// One command on its way: used by the lane's thread, then by its home.
struct DirectGateway::Request {
  core::ConvoId convo;
  core::Command command;
  Instant deadline;
  Reply reply;
  std::size_t bytes = 0;
  Result<core::Outcome> outcome = core::Outcome{};
  bool new_epoch = false;
  Instant decided{};
};

Executor& DirectGateway::home(const core::ConvoId& convo) const {
  return *parts_.workers[std::hash<std::string>{}(convo.value) % parts_.workers.size()];
}

bool DirectGateway::admit(std::size_t bytes) {
  const auto open = ++open_;
  const auto held = bytes_ += bytes;
  if (open <= direct_requests_max && held <= mailboxes_bytes_max) return true;
  leave(bytes);
  parts_.metrics.mailbox_full.add();
  return false;
}

void DirectGateway::leave(std::size_t bytes) {
  --open_;
  bytes_ -= bytes;
}

void DirectGateway::ask(core::ConvoId convo, core::Command command, Instant deadline, Reply reply) {
  auto& own = home(convo);
  const auto bytes = letter_bytes(command);
  if (!admit(bytes)) {
    own.post([reply = std::move(reply)]() mutable { reply(std::unexpected(overloaded())); });
    return;
  }
  // Shared by the decision (lane thread) and the answer (home), one after the other.
  auto request = std::make_shared<Request>(Request{.convo = std::move(convo),
                                                   .command = std::move(command),
                                                   .deadline = deadline,
                                                   .reply = std::move(reply),
                                                   .bytes = bytes});
  CommitLane::DirectEntry entry;
  entry.home = &own;
  entry.decide = [this, request](storage::Reader& reader, core::Fence fence) {
    return decide(*request, reader, fence);
  };
  entry.done = [this, request](storage::WriteResult result) {
    leave(request->bytes);
    answer(*request, std::move(result));
  };
  lane_of(parts_.lane, parts_.lanes, request->convo).submit(std::move(entry));
}

// Inside the transaction, under the write lock.
Result<std::optional<storage::WriteSet>> DirectGateway::decide(Request& request,
                                                               storage::Reader& reader,
                                                               core::Fence fence) {
  request.decided = home(request.convo).now();
  if (request.deadline <= request.decided) {
    parts_.metrics.drops_deadline.add();
    request.outcome = std::unexpected(too_late());
    return std::nullopt;
  }
  auto loaded = reader.load(request.convo);
  if (!loaded) return std::unexpected(loaded.error());
  core::Conversation head(loaded->state);
  for (const auto& key : core::Conversation::keys_of(request.command)) {
    auto known = reader.find_key(request.convo, key);
    if (!known) return std::unexpected(known.error());
    if (*known) head.keys().add(std::move(**known));
  }
  auto decision = head.decide(request.command, parts_.clock.now());
  if (mutant("direct_reply_before_durable")) {
    if (decision) request.reply(decision->outcome);
    if (decision) request.reply = [](const Result<core::Outcome>&) {};
  }
  if (!decision) {
    if (decision.error().code == Errc::epoch_mismatch) parts_.metrics.epoch_conflicts.add();
    request.outcome = std::unexpected(decision.error());
    return std::nullopt;
  }
  request.outcome = std::move(decision->outcome);
  if (decision->events.empty()) return std::nullopt;
  auto set =
      make_write_set(request.convo, head, Footing::of(*loaded), fence, std::move(decision->events));
  request.new_epoch = set.new_epoch > set.epoch;
  return set;
}

void DirectGateway::answer(Request& request, storage::WriteResult result) {
  using enum storage::CommitStatus;
  if (result.status == committed) {
    if (request.outcome && request.new_epoch) {
      parts_.metrics.epoch_increment_seconds.observe(
          std::chrono::duration<double>(home(request.convo).now() - request.decided).count());
    }
    request.reply(std::move(request.outcome));
    return;
  }
  const auto code = result.error.code;
  if (result.status == rejected && code == Errc::internal) {
    parts_.metrics.quarantined.add();
    obs::log(obs::Level::error, log_target, "the store refuses what was decided",
             {{"convo", obs::log_id(request.convo.value)}, {"reason", result.error.detail}});
    request.reply(std::unexpected(
        Error{Errc::quarantined, "this request fails every time", std::nullopt, 0}));
    return;
  }
  // The store's own word about this command or this row; and a full disk, which is definite.
  if (result.status == rejected || code == Errc::storage_corrupt || code == Errc::storage_full) {
    request.reply(std::unexpected(std::move(result.error)));
    return;
  }
  obs::log(obs::Level::error, log_target, "a request's transaction did not commit",
           {{"convo", obs::log_id(request.convo.value)}, {"reason", result.error.detail}});
  request.reply(std::unexpected(
      Error{Errc::retry, "the outcome is not known yet, send the same request again", {}, 1}));
}

void DirectGateway::access(core::ConvoId convo, core::Did user, Instant deadline,
                           AccessReply reply) {
  auto& own = home(convo);
  if (!admit(0)) {
    own.post([reply = std::move(reply)]() mutable { reply(std::unexpected(overloaded())); });
    return;
  }
  parts_.readers.run([this, &own, convo = std::move(convo), user = std::move(user), deadline,
                      reply = std::move(reply)](storage::Reader& reader) mutable {
    Result<core::Access> seen{};
    if (deadline <= own.now()) {
      parts_.metrics.drops_deadline.add();
      seen = std::unexpected(too_late());
    } else if (auto loaded = reader.load(convo); !loaded) {
      seen = std::unexpected(loaded.error());
    } else {
      seen = core::Conversation(std::move(loaded->state)).access(user);
    }
    own.post([this, seen = std::move(seen), reply = std::move(reply)]() mutable {
      leave(0);
      reply(std::move(seen));
    });
  });
}

}  // namespace catbird::actors
