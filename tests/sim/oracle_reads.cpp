// SPDX-License-Identifier: MIT
// Answers to reads.
#include "sim/oracle.hpp"

#include <algorithm>

namespace catbird::sim {

namespace {

/// What a user may read in a version: rows after `after`, up to `until`.
struct View {
  std::uint64_t after = 0;
  std::uint64_t until = 0;
};
std::optional<View> view_of(const ConvoState& state, std::size_t user) {
  const auto* member = state.member(user);
  if (member == nullptr) return std::nullopt;
  return View{member->join, member->active ? state.last_seq : member->left};
}

bool same_members(const storage::ConvoView& view, const ConvoState& state) {
  std::size_t active = 0;
  for (const auto& [user, member] : state.members) active += member.active ? 1 : 0;
  if (view.members.size() != active) return false;
  return std::ranges::all_of(view.members, [&](const storage::MemberView& member) {
    const auto user = user_of(member.user);
    if (!state.active(user) || state.admin(user) != member.admin) return false;
    const auto& devices = state.member(user)->devices;
    return std::ranges::equal(member.devices, devices, {}, &core::DeviceId::value);
  });
}

}  // namespace

bool Oracle::same_row(std::size_t convo, const storage::Row& row) const {
  const auto& rows = model_.convo(convo).rows;
  if (row.seq.value == 0 || row.seq.value > rows.size()) return false;
  const auto& known = rows[row.seq.value - 1];
  const bool commit = row.kind == core::Kind::commit;
  return known.position == row.position && known.epoch == row.epoch.value &&
         known.kind == row.kind && known.text == text_of(row.bytes) && known.at == row.at &&
         (commit ? row.committer == user_did(known.user) : row.id.value == known.id);
}

void Oracle::page_done(const Asked& asked, const Answer& answer) {
  const auto& rows = answer.rows;
  for (const auto& row : rows) {
    if (!same_row(asked.convo, row)) {
      model_.violate("O3: a page shows row " + std::to_string(row.seq.value) + " as something else",
                     asked.convo);
    }
  }
  bool allowed = false;
  const bool explained = some(asked, [&](const ConvoState& state) {
    const auto view = view_of(state, asked.user);
    if (!view) return false;
    if (rows.empty() ||
        (rows.front().seq.value > view->after && rows.back().seq.value <= view->until)) {
      allowed = true;
    }
    const auto after = std::max(view->after, asked.since);
    const auto available = view->until > after ? view->until - after : 0;
    if (rows.size() != std::min<std::uint64_t>(asked.limit, available)) return false;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].seq.value != after + 1 + i) return false;
    }
    return true;
  });
  if (!explained) {
    model_.violate(std::string(allowed ? "L1/O5" : "A2") + ": a page of user " +
                       std::to_string(asked.user) + " after " + std::to_string(asked.since) +
                       " has " + std::to_string(rows.size()) + " rows" +
                       (rows.empty() ? "" : " up to " + std::to_string(rows.back().seq.value)) +
                       ", which no state explains",
                   asked.convo);
  }
  if (rows.empty()) return;
  // getMessages moved the mark, and waited until that was durable (DECISIONS 5).
  const bool marked = some(asked, [&](const ConvoState& state) {
    return !state.active(asked.user) || state.member(asked.user)->read >= rows.back().seq.value;
  });
  if (!marked)
    model_.violate("U1: a page was answered before its read mark was durable", asked.convo);
}

void Oracle::list_done(const Asked& asked, const Answer& answer) {
  std::array<bool, convos_max> listed{};
  for (const auto& view : answer.convos.convos) {
    const auto convo = convo_of(view.id);
    listed[convo] = true;
    list_view(asked, view, convo);
  }
  for (std::size_t convo = 0; convo < model_.convos_count(); ++convo) {
    if (listed[convo]) continue;
    auto mine = asked;
    mine.convo = convo;
    mine.floors = asked.newest;
    if (!some(mine, [&](const ConvoState& state) { return !state.active(asked.user); })) {
      model_.violate("A1: a member's conversation is not listed", convo);
    }
  }
}

void Oracle::list_view(const Asked& asked, const storage::ConvoView& view, std::size_t convo) {
  auto mine = asked;
  mine.convo = convo;
  mine.floors = asked.newest;
  bool but_for_unread = false;
  const bool explained = some(mine, [&](const ConvoState& state) {
    if (!state.active(asked.user) || state.epoch != view.epoch.value ||
        !same_members(view, state)) {
      return false;
    }
    but_for_unread = true;
    return model_.unread(convo, state, asked.user) == view.unread;
  });
  if (explained) return;
  model_.violate(
      but_for_unread
          ? "U1: unread is " + std::to_string(view.unread) + " and should be " +
                std::to_string(model_.unread(convo, model_.convo(convo).now(), asked.user))
          : "A1: a listing shows a roster or epoch that never was",
      convo);
}

void Oracle::commits_done(const Asked& asked, const Answer& answer) {
  for (const auto& row : answer.rows) {
    if (row.kind != core::Kind::commit || !same_row(asked.convo, row)) {
      model_.violate("O3: getCommits shows something else than the commit", asked.convo);
    }
  }
  const auto& rows = model_.convo(asked.convo).rows;
  const bool explained = some(asked, [&](const ConvoState& state) {
    const auto view = view_of(state, asked.user);
    if (!view) return false;
    std::size_t next = 0;
    for (auto seq = view->after; seq < view->until; ++seq) {
      const auto& row = rows[seq];
      if (row.kind != core::Kind::commit || row.epoch < asked.since || row.epoch > asked.limit) {
        continue;
      }
      if (next >= answer.rows.size() || answer.rows[next].seq.value != row.seq) return false;
      ++next;
    }
    return next == answer.rows.size();
  });
  if (!explained) model_.violate("L1: no state explains what getCommits gave", asked.convo);
}

void Oracle::info_done(const Asked& asked, const Answer& answer) {
  const auto text = text_of(answer.info->bytes);
  const auto epoch = answer.info->epoch.value;
  const bool stored = some(asked, [&](const ConvoState& state) {
    return state.info == text && state.info_epoch == epoch;
  });
  const bool current = some(asked, [&](const ConvoState& state) { return state.epoch == epoch; });
  const bool member =
      some(asked, [&](const ConvoState& state) { return state.active(asked.user); });
  if (!stored || !current || !member) {
    model_.violate("A4: a GroupInfo of no current epoch, or for no member", asked.convo);
  }
}

void Oracle::welcome_done(const Asked& asked, const Answer& answer) {
  const auto text = text_of(answer.welcome->bytes);
  const bool explained = some(asked, [&](const ConvoState& state) {
    const auto at = Model::welcome_of(state, asked.user, asked.device, answer.now.value);
    if (!at) return false;
    const auto& welcome = (*state.welcomes)[*at];
    return welcome.text == text && welcome.epoch == answer.welcome->epoch.value;
  });
  if (!explained) model_.violate("K7/K8: a Welcome that is not this device's newest", asked.convo);
  if (!some(asked, [&](const ConvoState& state) { return state.active(asked.user); })) {
    model_.violate("A2: a Welcome for someone who is no member", asked.convo);
  }
}

void Oracle::confirm_done(const Asked& asked, const Answer& answer) {
  if (clock_jumps_) return;  // a Welcome may have been too old when the server looked
  const auto& convo = model_.convo(asked.convo);
  const auto& before = convo.versions[asked.newest[asked.convo]];
  const auto now = answer.now.value;
  const auto was = Model::welcome_of(before, asked.user, asked.device, now);
  const auto is = Model::welcome_of(convo.now(), asked.user, asked.device, now);
  if (was && is == was) {
    model_.violate("K6: a Welcome was confirmed and is still pending", asked.convo);
  }
}

void Oracle::read_refused(const Asked& asked, const Answer& answer) {
  using enum Request::What;
  const auto code = answer.error->code;
  const bool explained = some(asked, [&](const ConvoState& state) {
    switch (code) {
      case Errc::not_member:
        return asked.what == welcome ? !state.active(asked.user)
                                     : state.member(asked.user) == nullptr;
      case Errc::unauthorized:
        return asked.what == group_info && !state.active(asked.user);
      case Errc::group_info_unavailable:
        return !state.info_epoch || *state.info_epoch < state.epoch;
      case Errc::welcome_not_found:
        return !Model::welcome_of(state, asked.user, asked.device, answer.now.value);
      case Errc::too_many_key_packages:
        return asked.what == publish;
      default:
        return false;
    }
  });
  if (explained) return;
  const char* rule = code == Errc::welcome_not_found ? "K6: "
                     : code == Errc::not_member      ? "A2: "
                                                     : "A4: ";
  model_.violate(rule + std::string("a read was refused without reason, code ") +
                     std::to_string(static_cast<int>(code)) + " " + answer.error->detail,
                 asked.convo);
}

}  // namespace catbird::sim
