// SPDX-License-Identifier: MIT
// What is stored when all is quiet, against the model.
#include "core/key_window.hpp"
#include "sim/oracle.hpp"
#include "support/rows.hpp"

#include <algorithm>

namespace catbird::sim {

void Oracle::finish(storage::Reader& reader, Timestamp now) {
  for (std::size_t convo = 0; convo < model_.convos_count(); ++convo) finish_convo(reader, convo);
  finish_ops(reader);
  finish_bursts();
  finish_packages(reader, now);
  finish_users(reader, now);
}

void Oracle::finish_convo(storage::Reader& reader, std::size_t number) {
  const auto& convo = model_.convo(number);
  const auto& state = convo.now();
  const auto id = convo_name(number);
  const auto loaded = reader.load(id);
  if (!loaded || loaded->state.exists != state.exists) {
    model_.violate("D1: a conversation is missing", number);
    return;
  }
  if (!state.exists) return;
  if (loaded->state.epoch.value != state.epoch || loaded->state.last_seq.value != state.last_seq) {
    model_.violate("D2: the conversation's row and its history disagree", number);
  }
  if (loaded->version.value != convo.writes || loaded->fence.value != convo.fence) {
    model_.violate("O7: version or fence of the row are not those of its last write", number);
  }
  finish_members(loaded->state, number);
  const auto& policy = loaded->state.policy;
  if (policy.allow_invites != state.policy.invites ||
      policy.admin_only_invites != state.policy.admin_only_invites ||
      policy.allow_member_add != state.policy.member_add ||
      policy.allow_member_remove != state.policy.member_remove ||
      policy.require_admin_approval != state.policy.approval ||
      policy.max_members != state.policy.members_max) {
    model_.violate("A3: the stored policy is not the newest", number);
  }

  const auto rows = test::rows_of(reader.page({.convo = id,
                                               .after = core::Seq(0),
                                               .until = core::Seq(1'000'000),
                                               .rows_max = 1'000'000,
                                               .bytes_max = std::size_t{1} << 30U}));
  if (!rows || rows->size() != convo.rows.size()) {
    model_.violate("D1: rows are missing, or too many", number);
    return;
  }
  auto epoch = loaded->state.creation_epoch.value;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto& row = (*rows)[i];
    if (row.seq.value != i + 1) model_.violate("O3: a gap or a duplicate number", number);
    if (!same_row(number, row)) {
      model_.violate("O3: row " + std::to_string(i + 1) + " changed after it was stored", number);
    }
    if (row.kind == core::Kind::commit) ++epoch;
    if (row.epoch.value != epoch) {
      model_.violate("O1/O4: the epochs of the rows are no chain", number);
      epoch = row.epoch.value;
    }
  }
  const auto info = reader.group_info(id);
  const bool same_info = info && info->has_value() == state.info_epoch.has_value() &&
                         (!*info || (text_of((*info)->bytes) == state.info &&
                                     (*info)->epoch.value == *state.info_epoch));
  if (!same_info) model_.violate("A4: the stored GroupInfo is not the newest", number);
}

void Oracle::finish_members(const core::Snapshot& stored, std::size_t number) {
  const auto& state = model_.convo(number).now();
  if (stored.members.size() != state.members.size()) {
    model_.violate("A1: the roster is not the fold of its changes", number);
    return;
  }
  for (const auto& member : stored.members.all()) {
    const auto* known = state.member(user_of(member.user));
    if (known == nullptr || known->active != member.active() || known->admin != member.admin ||
        known->moderator != member.moderator || known->join != member.join_seq.value ||
        (member.left && member.left->seq.value != known->left) ||
        !std::ranges::equal(member.devices, known->devices, {}, &core::DeviceId::value)) {
      model_.violate("A1: the roster is not the fold of its changes", number);
    } else if (member.read_seq.value != known->read) {
      model_.violate("U2: a read mark went back or was lost", number);
    }
  }
}

void Oracle::finish_ops(storage::Reader& reader) {
  for (const auto& op : book_.all()) {
    if (op.answered && op.applied == 0) {
      model_.violate("D1: acknowledged " + op.id + " is not stored", op.convo);
    }
    if (op.applied != 0 && op.copies != 0 && op.refused == op.copies) {
      model_.violate("D4: " + op.id + " was refused and took effect", op.convo);
    }
    if (!op.command.key || op.applied == 0) continue;
    const auto key = core::KeyWindow::request_key(op.command.caller.user, *op.command.key);
    const auto found = reader.find_key(convo_name(op.convo), key);
    if (!found || !*found || (*found)->outcome.seq != op.stored.seq ||
        (*found)->outcome.epoch != op.stored.epoch || (*found)->outcome.at != op.stored.at) {
      model_.violate("P2: the record of " + op.id + " is missing or wrong", op.convo);
    }
  }
}

// Those of one burst that were sent once only and accepted stand in the order they were sent.
void Oracle::finish_bursts() {
  std::map<std::size_t, const Op*> last;
  for (const auto& op : book_.all()) {
    if (op.burst == 0 || op.applied == 0 || op.attempts != 1 || op.copies != 1) continue;
    auto& before = last[op.burst];
    if (before != nullptr && before->stored.seq > op.stored.seq) {
      model_.violate("O6: " + before->id + " was sent before " + op.id + " and stands after it",
                     op.convo);
    }
    before = &op;
  }
}

void Oracle::finish_packages(storage::Reader& reader, Timestamp now) {
  std::map<std::size_t, storage::SuiteStats> expected;
  std::vector<Bytes> refs;
  for (const auto& [ref, package] : model_.packages()) {
    refs.push_back(bytes_of(ref));
    auto& stats = expected[package.owner];
    ++stats.total;
    const bool reserved = package.reserved_by != nobody && package.reserved_until > now.value;
    if (package.consumed) {
      ++stats.consumed;
    } else if (package.not_after > now.value) {
      ++(reserved ? stats.reserved : stats.available);
    }
  }
  const auto facts = reader.find_key_packages(refs, now);
  if (!facts || facts->size() != refs.size()) {
    model_.violate("K3: published key packages are missing");
    return;
  }
  for (const auto& stored : *facts) {
    const auto& known = model_.packages().at(text_of(stored.ref));
    const bool reserved =
        !known.consumed && known.reserved_by != nobody && known.reserved_until > now.value;
    if (stored.consumed != known.consumed || stored.reserved_by.has_value() != reserved ||
        (reserved && *stored.reserved_by != user_did(known.reserved_by))) {
      model_.violate("K3: key package " + text_of(stored.ref) + " is in another state than it was");
    }
  }
  for (const auto& [user, stats] : expected) {
    const auto stored = reader.key_package_stats(user_did(user), now);
    if (!stored || stored->size() != 1 || stored->front().total != stats.total ||
        stored->front().available != stats.available ||
        stored->front().reserved != stats.reserved || stored->front().consumed != stats.consumed) {
      model_.violate("K3: published is not available + reserved + used + expired");
    }
  }
}

void Oracle::finish_users(storage::Reader& reader, Timestamp now) {
  std::set<std::pair<std::size_t, std::string>> devices;
  std::set<std::size_t> users;
  for (const auto& op : book_.all()) {
    users.insert(op.user);
    devices.insert({op.user, op.command.caller.device.value});
  }
  for (const auto user : users) {
    Answer answer;
    auto page = reader.convos({.user = user_did(user),
                               .after = std::nullopt,
                               .tag = [user](const core::ConvoId&) { return tag_of(user); }});
    if (!page) continue;
    answer.convos = std::move(*page);
    Request request;
    request.what = Request::What::list;
    request.caller.user = user_did(user);
    list_done(asked(request, nullptr), answer);
  }
  for (const auto& [user, device] : devices) {
    for (std::size_t convo = 0; convo < model_.convos_count(); ++convo) {
      const auto& state = model_.convo(convo).now();
      const auto at = Model::welcome_of(state, user, device, now.value);
      const auto stored =
          reader.welcome(convo_name(convo), {user_did(user), core::DeviceId(device)}, now);
      if (!stored || stored->has_value() != at.has_value()) {
        model_.violate(at ? "K6: a Welcome is gone that nobody confirmed"
                          : "K8: a Welcome is pending that was ended",
                       convo);
      } else if (at && text_of((*stored)->bytes) != (*state.welcomes)[*at].text) {
        model_.violate("K8: the pending Welcome is not the newest", convo);
      }
    }
  }
}

}  // namespace catbird::sim
