// SPDX-License-Identifier: MIT
#include "sim/clients.hpp"

#include <utility>

namespace catbird::sim {

namespace {

constexpr std::chrono::milliseconds answer_timeout{2'000};
constexpr std::chrono::milliseconds retry_delay{100};

Bytes group_of(std::size_t convo) { return Bytes(8, static_cast<std::uint8_t>(convo + 1)); }

bool outcome_is_open(Errc code) {
  return code == Errc::retry || code == Errc::overloaded || code == Errc::deadline ||
         code == Errc::storage_unavailable || code == Errc::storage_full;
}

}  // namespace

core::Did user_did(std::size_t user) { return core::Did("did:plc:user" + std::to_string(user)); }

core::ConvoId convo_name(std::size_t convo) { return core::ConvoId(to_hex(group_of(convo))); }

core::SenderTag tag_of(std::size_t user) {
  core::SenderTag tag{};
  tag.fill(static_cast<std::uint8_t>(user + 1));
  return tag;
}

core::Command create_command(std::size_t convo) {
  core::CreateConvo create;
  create.group_id = group_of(convo);
  create.suite = 1;
  for (std::size_t user = 0; user < users_count; ++user) {
    create.initial_members.push_back(user_did(user));
  }
  core::Command command;
  command.caller.user = user_did(0);
  command.key = core::RequestKey{"createConvo", "create " + std::to_string(convo), {}};
  command.what = std::move(create);
  return command;
}

core::Command intruder_command(std::size_t convo, std::size_t number, core::Epoch epoch) {
  const auto name = "intruder " + std::to_string(number);
  core::Command command;
  command.caller.user = user_did(0);
  command.tag = tag_of(0);
  if (number % 2 == 0) {
    command.what = core::SendMessage{.id = core::MsgId(name),
                                     .kind = core::Kind::app,
                                     .group_id = group_of(convo),
                                     .epoch = epoch,
                                     .bytes = make_blob(Bytes(16, 7))};
    return command;
  }
  core::AddMembers add;
  const auto text = view_of(name);
  add.parts.commit =
      core::CommitPart{make_blob(Bytes(text.begin(), text.end())), group_of(convo), epoch};
  command.what = std::move(add);
  return command;
}

Client::Client(Setting setting, std::size_t user, std::size_t operations)
    : setting_(std::move(setting)), user_(user), left_(operations) {}

std::string Client::describe() const {
  return "user " + std::to_string(user_) + ": " + (busy_ ? "waits for " : "idle after ") +
         operation_.id + " kind " + std::to_string(static_cast<int>(operation_.what)) +
         " in convo " + std::to_string(operation_.convo) + ", attempts " +
         std::to_string(attempts_) + ", last refusal " + std::to_string(last_refusal_) +
         (operation_.again ? ", again" : "");
}

void Client::start() {
  setting_.own.post([this] { next(); });
}

void Client::next() {
  if (left_ == 0 || busy_) return;
  --left_;
  busy_ = true;
  operation_ = {};
  operation_.convo = setting_.sim.pick(convos_count);
  const auto dice = setting_.sim.pick(100);
  operation_.what = setting_.watches ? Operation::What::read
                    : dice < 50      ? Operation::What::send
                    : dice < 75      ? Operation::What::commit
                    : dice < 90      ? Operation::What::read
                                     : Operation::What::mark;
  operation_.invoked = setting_.sim.now();
  build();
  issue();
}

void Client::build() {
  auto& command = operation_.command;
  command = {};
  command.caller.user = user_did(user_);
  command.tag = tag_of(user_);
  const auto epoch = known_epoch_[operation_.convo];
  // A rebuilt commit is another operation: its own name and its own place in real time.
  operation_.id = std::to_string(user_) + "-" + std::to_string(named_++);
  if (operation_.what == Operation::What::send) {
    command.what = core::SendMessage{.id = core::MsgId(operation_.id),
                                     .kind = core::Kind::app,
                                     .group_id = group_of(operation_.convo),
                                     .epoch = epoch,
                                     .bytes = make_blob(Bytes(16, 7))};
    if (setting_.sim.chance(30)) {
      command.key = core::RequestKey{"sendMessage", "key " + operation_.id, {}};
    }
  } else if (operation_.what == Operation::What::commit) {
    core::AddMembers add;
    const auto text = view_of(operation_.id);
    add.parts.commit = core::CommitPart{make_blob(Bytes(text.begin(), text.end())),
                                        group_of(operation_.convo), epoch};
    command.key = core::RequestKey{"addMembers", "commit " + operation_.id, {}};
    command.what = std::move(add);
    operation_.invoked = setting_.sim.now();
  } else if (operation_.what == Operation::What::mark) {
    command.what = core::MarkRead{core::Seq(setting_.sim.pick(50))};
  }
}

void Client::issue() {
  const auto attempt = new_attempt();
  auto* gateway = setting_.gateway();
  if (gateway == nullptr) return;
  if (operation_.what == Operation::What::read) {
    read();
    return;
  }
  const auto patience =
      std::chrono::milliseconds(setting_.sim.chance(5) ? setting_.sim.pick(3) : 8'000);
  gateway->ask(convo_name(operation_.convo), operation_.command, setting_.sim.now() + patience,
               [this, attempt](Result<core::Outcome> outcome) {
                 setting_.own.post([this, attempt, outcome = std::move(outcome)]() mutable {
                   answered(attempt, std::move(outcome));
                 });
               });
}

std::uint64_t Client::new_attempt() {
  operation_.attempt = ++attempts_;
  const auto attempt = operation_.attempt;
  setting_.own.post_after(answer_timeout, [this, attempt] {
    // No answer at all: the process died with the request, or the reply was lost.
    if (busy_ && operation_.attempt == attempt) issue();
  });
  return attempt;
}

void Client::read() {
  operation_.invoked = setting_.sim.now();
  setting_.gateway()->access(convo_name(operation_.convo), user_did(user_),
                             setting_.sim.now() + std::chrono::seconds(8),
                             [this, attempt = operation_.attempt](Result<core::Access> seen) {
                               setting_.own.post([this, attempt, seen = std::move(seen)]() mutable {
                                 read_done(attempt, std::move(seen));
                               });
                             });
}

void Client::read_done(std::uint64_t attempt, Result<core::Access> seen) {
  if (!busy_ || attempt != operation_.attempt) return;
  if (!seen) {
    retry_later();
    return;
  }
  known_epoch_[operation_.convo] = seen->epoch;
  setting_.history.observed(convo_name(operation_.convo).value, seen->last_seq, seen->epoch,
                            {operation_.invoked, setting_.sim.now()});
  if (operation_.what != Operation::What::read) {
    // A refresh on behalf of an operation that was refused as stale.
    build();
    issue();
    return;
  }
  finish();
}

void Client::answered(std::uint64_t attempt, Result<core::Outcome> outcome) {
  if (!busy_ || attempt != operation_.attempt) return;  // late: its operation went on
  if (!outcome) {
    refused(outcome.error());
    return;
  }
  if (operation_.what == Operation::What::mark) {
    finish();
    return;
  }
  check_epoch(*outcome);
  setting_.history.acknowledge(
      {convo_name(operation_.convo).value, operation_.id,
       operation_.what == Operation::What::commit ? core::Kind::commit : core::Kind::app, *outcome,
       operation_.invoked, setting_.sim.now()});
  if (operation_.what == Operation::What::commit) {
    known_epoch_[operation_.convo] = std::max(known_epoch_[operation_.convo], outcome->epoch);
  }
  if (setting_.sim.chance(20)) {
    operation_.again = true;
    issue();
    return;
  }
  if (operation_.what == Operation::What::send && setting_.sim.chance(10)) poach();
  finish();
}

void Client::refused(const Error& error) {
  last_refusal_ = static_cast<int>(error.code);
  if (outcome_is_open(error.code)) {
    retry_later();
    return;
  }
  if (operation_.again) {
    setting_.history.violate("P1: a retry of " + operation_.id + " was refused");
    finish();
    return;
  }
  if (error.code == Errc::epoch_mismatch && error.clash) {
    // Never stored, so the same msgId may carry another ciphertext; a commit is rebuilt.
    setting_.history.told_epoch(convo_name(operation_.convo).value,
                                core::Epoch(error.clash->server_epoch), setting_.sim.now());
    if (error.clash->server_epoch <= error.clash->client_epoch) {
      setting_.history.violate("409 with an epoch that is not newer");
    }
    new_attempt();
    if (setting_.gateway() == nullptr) {
      retry_later();
      return;
    }
    read();
    return;
  }
  setting_.history.violate("an honest request was refused with code " +
                           std::to_string(static_cast<int>(error.code)));
  finish();
}

void Client::retry_later() {
  operation_.attempt = ++attempts_;
  setting_.own.post_after(retry_delay, [this, attempt = operation_.attempt] {
    if (busy_ && operation_.attempt == attempt) issue();
  });
}

// Bytes made for one epoch are of no use in another (O4).
void Client::check_epoch(const core::Outcome& outcome) {
  auto expected = outcome.epoch;
  if (const auto* send = std::get_if<core::SendMessage>(&operation_.command.what)) {
    expected = send->epoch;
  } else if (const auto* add = std::get_if<core::AddMembers>(&operation_.command.what)) {
    expected = core::Epoch(add->parts.commit->base.value + 1);
  }
  if (outcome.epoch != expected) {
    setting_.history.violate("O4: " + operation_.id +
                             " was accepted in another epoch than its own");
  }
}

// Another user's msgId in the same conversation: refused, and nothing stored is shown.
void Client::poach() {
  auto* gateway = setting_.gateway();
  if (gateway == nullptr) return;
  auto theft = operation_.command;
  const auto other = (user_ + 1) % users_count;
  theft.caller.user = user_did(other);
  theft.tag = tag_of(other);
  theft.key.reset();
  gateway->ask(convo_name(operation_.convo), std::move(theft),
               setting_.sim.now() + std::chrono::seconds(8), [this](Result<core::Outcome> outcome) {
                 if (outcome) setting_.history.violate("P1: a stranger got a stored answer");
               });
}

void Client::finish() {
  busy_ = false;
  setting_.own.post_after(std::chrono::milliseconds(setting_.sim.pick(setting_.watches ? 8 : 40)),
                          [this] { next(); });
}

}  // namespace catbird::sim
