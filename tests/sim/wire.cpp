// SPDX-License-Identifier: MIT
#include "sim/wire.hpp"

#include "sim/node.hpp"

#include <utility>

namespace catbird::sim {

namespace {
constexpr std::uint64_t copy_delay_ms_max = 400;
constexpr std::uint64_t hurry_ms_max = 4;
}  // namespace

bool Caller::strikes(Hazard hazard) {
  if (!outside_.sim.chance(outside_.swarm[hazard])) return false;
  ++outside_.totals[Count::network_faults];
  return true;
}

void Caller::call(Request request, Op* op, Heard heard) {
  const auto number = next_++;
  if (op != nullptr) op->first_version = outside_.model.convo(op->convo).newest();
  calls_[number] = {.request = std::move(request), .op = op, .heard = std::move(heard)};
  attempt(number);
}

void Caller::attempt(std::uint64_t number) {
  auto& call = calls_.at(number);
  const auto attempt = ++call.attempt;
  if (call.op != nullptr) ++call.op->attempts;
  ++outside_.totals[Count::requests];
  again_after(outside_.swarm.answer_timeout, number, attempt);
  const auto asked = outside_.oracle.asked(call.request, call.op);
  auto request = call.request;
  if (strikes(Hazard::deadline)) {
    request.patience = std::chrono::milliseconds(outside_.sim.pick(hurry_ms_max));
  }
  if (strikes(Hazard::drop_request)) return;
  deliver(request, asked, number, attempt);
  if (!strikes(Hazard::copy_request)) return;
  const auto delay = outside_.sim.pick(2) * outside_.sim.pick(copy_delay_ms_max);
  if (delay == 0) return deliver(request, asked, number, attempt);
  outside_.network.post_after(
      std::chrono::milliseconds(delay),
      [this, request, asked, number, attempt] { deliver(request, asked, number, attempt); });
}

void Caller::deliver(const Request& request, const Asked& asked, std::uint64_t number,
                     std::uint64_t attempt) {
  auto* node = outside_.node();
  if (node == nullptr) return;
  if (asked.op != nullptr) ++asked.op->copies;
  node->serve(request, [this, asked, number, attempt](Answer answer) {
    if (asked.op != nullptr) Oracle::served(*asked.op, answer);
    if (strikes(Hazard::drop_reply)) return;
    auto kept = std::make_shared<const Answer>(std::move(answer));
    auto hear = [this, asked, number, attempt, kept] { answered(number, attempt, asked, *kept); };
    own_.post(hear);
    if (!strikes(Hazard::copy_reply)) return;
    own_.post_after(std::chrono::milliseconds(outside_.sim.pick(copy_delay_ms_max)), hear);
  });
}

void Caller::answered(std::uint64_t number, std::uint64_t attempt, const Asked& asked,
                      const Answer& answer) {
  auto& trace = outside_.sim.trace();
  const int code = answer.error ? static_cast<int>(answer.error->code) : -1;
  trace.mix(answer.outcome.seq.value * 31 + answer.outcome.epoch.value * 7 + answer.rows.size());
  trace.mix(static_cast<std::uint64_t>(code + 1));
  if (trace.recording()) {
    const auto what =
        asked.op != nullptr ? asked.op->id : "read " + std::to_string(static_cast<int>(asked.what));
    trace.note(outside_.sim.now(), asked.convo,
               "user " + std::to_string(asked.user) + " hears of " + what + ": " +
                   (answer.error ? "error " + std::to_string(code)
                                 : "ok, row " + std::to_string(answer.outcome.seq.value) +
                                       " epoch " + std::to_string(answer.outcome.epoch.value) +
                                       ", " + std::to_string(answer.rows.size()) + " rows"));
  }
  outside_.oracle.answered(asked, answer);
  const bool open = answer.error && outcome_is_open(answer.error->code);
  ++outside_.totals[open ? Count::open_outcomes : answer.error ? Count::refusals : Count::acks];
  auto it = calls_.find(number);
  if (it == calls_.end()) return;  // late
  it->second.last_error = code;
  if (open) {
    if (attempt == it->second.attempt) again_after(outside_.swarm.retry_delay, number, attempt);
    return;
  }
  auto heard = std::move(it->second.heard);
  calls_.erase(it);
  heard(answer);
}

// No answer at all: the process died with the request, or a message was lost.
void Caller::again_after(std::chrono::milliseconds delay, std::uint64_t number,
                         std::uint64_t attempted) {
  own_.post_after(delay, [this, number, attempted] {
    auto it = calls_.find(number);
    if (it != calls_.end() && it->second.attempt == attempted) attempt(number);
  });
}

std::string Caller::describe() const {
  std::string text;
  for (const auto& [number, call] : calls_) {
    text += " waits for " +
            (call.op != nullptr ? call.op->id
                                : "read " + std::to_string(static_cast<int>(call.request.what))) +
            " in convo " + std::to_string(call.request.convo) + " after " +
            std::to_string(call.attempt) + " attempts, last error " +
            std::to_string(call.last_error) + ";";
  }
  return text;
}

}  // namespace catbird::sim
