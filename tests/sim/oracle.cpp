// SPDX-License-Identifier: MIT
// Answers to commands, and which check an answer goes to.
#include "sim/oracle.hpp"

namespace catbird::sim {

bool outcome_is_open(Errc code) {
  return code == Errc::retry || code == Errc::overloaded || code == Errc::deadline ||
         code == Errc::storage_unavailable || code == Errc::storage_full;
}

Asked Oracle::asked(const Request& request, Op* op) const {
  Asked asked{.what = request.what,
              .user = user_of(request.caller.user),
              .device = request.caller.device.value,
              .convo = request.convo,
              .since = request.since,
              .limit = request.limit,
              .op = op};
  for (const auto& package : request.packages) asked.packages.push_back(text_of(package.ref));
  for (std::size_t i = 0; i < model_.convos_count(); ++i) {
    asked.floors[i] = model_.convo(i).floor();
    asked.newest[i] = model_.convo(i).newest();
  }
  return asked;
}

void Oracle::served(Op& op, const Answer& answer) {
  if (answer.error && !outcome_is_open(answer.error->code)) ++op.refused;
}

void Oracle::answered(const Asked& asked, const Answer& answer) {
  using enum Request::What;
  if (answer.error) {
    if (outcome_is_open(answer.error->code)) return;
    if (asked.what == command) return command_refused(asked, answer);
    return read_refused(asked, answer);
  }
  switch (asked.what) {
    case command:
      return command_done(asked, answer);
    case page:
      return page_done(asked, answer);
    case list:
      return list_done(asked, answer);
    case commits:
      return commits_done(asked, answer);
    case group_info:
      return info_done(asked, answer);
    case welcome:
      return welcome_done(asked, answer);
    case confirm:
      return confirm_done(asked, answer);
    case publish:
      for (const auto& ref : asked.packages) {
        if (!model_.packages().contains(ref)) {
          model_.violate("D1: key package " + ref + " was acknowledged and is not stored");
        }
      }
      return;
    case reserve:
      for (const auto& given : answer.packages) {
        const auto known = model_.packages().find(text_of(given.ref));
        if (known == model_.packages().end() || !known->second.handed_to.contains(asked.user)) {
          model_.violate("K1: a key package was given to someone it is not reserved to");
        }
      }
      return;
  }
}

void Oracle::command_done(const Asked& asked, const Answer& answer) {
  auto& op = *asked.op;
  if (std::holds_alternative<core::MarkRead>(op.command.what)) return mark_done(asked, answer);
  if (op.forbidden) {
    model_.violate("P1: " + op.id + " got the answer to another request", op.convo);
    return;
  }
  if ((op.applied == 0 || answer.outcome.seq != op.stored.seq) && left_before(asked, answer)) {
    return;
  }
  if (op.applied == 0) {
    model_.violate("D1: " + op.id + " was acknowledged and is not durable", op.convo);
    return;
  }
  op.answered = true;
  if (answer.outcome.seq != op.stored.seq || answer.outcome.epoch != op.stored.epoch) {
    model_.violate("O3: " + op.id + " was answered as row " +
                       std::to_string(answer.outcome.seq.value) + " and is row " +
                       std::to_string(op.stored.seq.value),
                   op.convo);
  }
  const bool told = governs(op.command) ||  // the answer says more than its row
                    std::holds_alternative<core::CreateConvo>(op.command.what);
  if ((op.is_once() && answer.outcome.at != op.stored.at) ||
      (told && answer.outcome.detail != op.stored.detail)) {
    model_.violate("P1: " + op.id + " was answered twice and differently", op.convo);
  }
}

// Who has left already is told how it left, until it is added again (DECISIONS 2).
bool Oracle::left_before(const Asked& asked, const Answer& answer) const {
  const auto* leave = std::get_if<core::LeaveConvo>(&asked.op->command.what);
  if (leave == nullptr || user_of(leave->target) != asked.user) return false;
  return some(asked, [&](const ConvoState& state) {
    const auto* member = state.member(asked.user);
    return member != nullptr && !member->active && member->left == answer.outcome.seq.value;
  });
}

void Oracle::mark_done(const Asked& asked, const Answer& answer) {
  const auto wanted = std::get<core::MarkRead>(asked.op->command.what).seq.value;
  const bool explained = some(asked, [&](const ConvoState& state) {
    return state.active(asked.user) && state.member(asked.user)->read == answer.outcome.seq.value &&
           answer.outcome.seq.value >= std::min(wanted, state.last_seq);
  });
  if (!explained) {
    model_.violate("U2: a read mark was answered as " + std::to_string(answer.outcome.seq.value) +
                       " and is not there",
                   asked.convo);
  }
}

void Oracle::command_refused(const Asked& asked, const Answer& answer) {
  const auto& op = *asked.op;
  const auto& error = *answer.error;
  if (op.is_once() && op.applied != 0 && op.version <= asked.floors[op.convo] && !op.forbidden) {
    model_.violate("P1: a retry of " + op.id + " was refused with code " +
                       std::to_string(static_cast<int>(error.code)),
                   op.convo);
    return;
  }
  if (error.code == Errc::key_package_not_found && clock_jumps_) return;  // whose time counted?
  const bool explained = some(asked, [&](const ConvoState& state) {
    if (!model_.justifies(error.code, op, state, answer.now.value)) return false;
    return !error.clash || error.clash->server_epoch == state.epoch;
  });
  if (explained) return;
  const char* rule = error.code == Errc::epoch_mismatch          ? "O8: "
                     : error.code == Errc::not_member            ? "A1: "
                     : error.code == Errc::key_package_not_found ? "K2: "
                                                                 : "A3: ";
  model_.violate(rule + op.id + " was refused without reason, code " +
                     std::to_string(static_cast<int>(error.code)) + " " + error.detail,
                 op.convo);
}

}  // namespace catbird::sim
