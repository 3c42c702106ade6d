// SPDX-License-Identifier: MIT
// How a conversation of the model changes.
#include "sim/model.hpp"

#include <algorithm>

namespace catbird::sim {

namespace {

constexpr std::int64_t welcome_days = 90;
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

template <class Event>
const Event* first_of(const storage::WriteSet& set) {
  for (const auto& event : set.events) {
    if (const auto* found = std::get_if<Event>(&event)) return found;
  }
  return nullptr;
}

// When the last admin goes, the member who is there longest takes over.
void promote_heir(ConvoState& state) {
  std::size_t heir = nobody;
  for (const auto& [user, member] : state.members) {
    if (!member.active) continue;
    if (member.admin) return;
    if (heir == nobody || member.join < state.members[heir].join) heir = user;
  }
  if (heir == nobody) return;
  state.members[heir].admin = true;
  state.members[heir].moderator = false;
}

void add_member(ConvoState& state, std::size_t user, std::uint64_t seq, bool admin) {
  auto& member = state.members[user];
  member.active = true;
  member.admin = admin;
  member.join = seq;
  member.read = std::max(member.read, seq);
}

void drop_member(ConvoState& state, std::size_t user, std::uint64_t seq) {
  auto& member = state.members[user];
  if (!member.active) return;
  member.active = false;
  member.admin = false;
  member.moderator = false;
  member.left = seq;
  member.devices.clear();
}

}  // namespace

// Rows say in their bytes who asked for them, requests without a row in their key.
Op* Model::op_of(const storage::WriteSet& set) {
  if (const auto* row = first_of<core::RowAppended>(set)) return book_.find(text_of(row->bytes));
  if (const auto* request = first_of<core::RequestRecorded>(set)) {
    return book_.find(request->key.key);
  }
  if (const auto* info = first_of<core::GroupInfoStored>(set)) {
    return book_.find(text_of(info->bytes));
  }
  return nullptr;
}

void Model::committed(const storage::WriteSet& set, std::uint64_t first_position, bool foreign) {
  const auto number = convo_of(set.convo);
  auto& convo = convos_[number];
  check_owner(set, number);
  auto state = convo.now();
  const auto* mark = first_of<core::ReadMarked>(set);
  auto* op = op_of(set);
  if (mark != nullptr && set.events.size() == 1) {
    mark_read(state, *mark, number);
  } else if (op == nullptr || op->convo != number) {
    violate("D6: something is stored that nobody asked for", number);
    return;
  } else {
    if (auto law = forbids(*op, state)) {
      violate(*law + ": " + op->id + " was accepted", number);
    }
    if (op->applied != 0 && op->is_once()) {
      violate("P1: " + op->id + " took effect twice", number);
    }
    apply(*op, set, state);
    if (first_of<core::RowAppended>(set) != nullptr) {
      append_row(*op, set, first_position, foreign);
    }
    if (state.count() != 0 && state.admins() == 0) {
      violate("A3: " + op->id + " left the conversation without an admin", number);
    }
    ++op->applied;
    op->version = convo.versions.size();
  }
  ++convo.writes;
  convo.fence = set.fence.value;
  convo.versions.push_back(std::move(state));
  if (!foreign) {
    convo.unseen.reset();
  } else if (!convo.unseen) {
    convo.unseen = convo.newest();
  }
}

// What the statement that writes must have compared (O7).
void Model::check_owner(const storage::WriteSet& set, std::size_t number) {
  const auto& convo = convos_[number];
  const auto& state = convo.now();
  if (set.creates) {
    if (state.exists) violate("O7: a conversation was created twice", number);
    return;
  }
  if (set.version.value != convo.writes || set.seen.value != convo.fence ||
      set.fence.value < convo.fence || set.last_seq.value != state.last_seq ||
      set.epoch.value != state.epoch) {
    violate("O7: a write decided on an older state was accepted", number);
  }
}

void Model::mark_read(ConvoState& state, const core::ReadMarked& mark, std::size_t convo) {
  const auto user = user_of(mark.user);
  if (!state.active(user)) violate("A3: a read mark of someone who is no member", convo);
  auto& read = state.members[user].read;
  if (mark.seq.value <= read) violate("U2: a read mark was written that does not advance", convo);
  if (mark.seq.value > state.last_seq) violate("U2: a read mark beyond the last row", convo);
  read = std::max(read, mark.seq.value);
}

void Model::append_row(Op& op, const storage::WriteSet& set, std::uint64_t position, bool foreign) {
  auto& convo = convos_[op.convo];
  const auto& row = *first_of<core::RowAppended>(set);
  const auto rows = std::ranges::count_if(set.events, [](const core::Event& event) {
    return std::holds_alternative<core::RowAppended>(event);
  });
  const auto last = last_position();
  if (rows != 1) violate("D2: a write with more than one row", op.convo);
  if (row.seq.value != convo.rows.size() + 1) {
    violate("O3: row " + op.id + " has number " + std::to_string(row.seq.value) + " after " +
                std::to_string(convo.rows.size()),
            op.convo);
  }
  if (position <= last) violate("L4: a position was handed out again", op.convo);
  positions_[position] = {op.convo, convo.rows.size()};
  convo.rows.push_back({.position = position,
                        .seq = convo.rows.size() + 1,
                        .epoch = row.epoch.value,
                        .kind = row.kind,
                        .id = row.kind == core::Kind::commit ? std::string() : row.id.value,
                        .text = op.id,
                        .user = op.user,
                        .at = row.at,
                        .foreign = foreign});
}

void Model::apply(Op& op, const storage::WriteSet& set, ConvoState& state) {
  const auto* parts = parts_of(op.command);
  const auto* create = std::get_if<core::CreateConvo>(&op.command.what);
  const bool commit = parts != nullptr && parts->commit.has_value();
  const bool send = std::holds_alternative<core::SendMessage>(op.command.what);
  if (commit || send) ++state.last_seq;
  if (commit) ++state.epoch;
  if (create != nullptr) {
    state.exists = true;
    state.creator = op.user;
    state.epoch = create->epoch.value;
    for (const auto& user : create->initial_members) add_member(state, user_of(user), 0, false);
    add_member(state, op.user, 0, true);
    state.members[op.user].devices.insert(op.command.caller.device.value);
  }
  apply_roster(op, state.last_seq, state);
  apply_parts(op, set, state);
  op.stored.seq = core::Seq(commit || send ? state.last_seq : 0);
  op.stored.epoch = core::Epoch(state.epoch);
  if (governs(op.command)) apply_governance(op, set, state);
  if (const auto* row = first_of<core::RowAppended>(set)) op.stored.at = row->at;
  if (const auto* request = first_of<core::RequestRecorded>(set)) {
    if (request->outcome.seq != op.stored.seq || request->outcome.epoch != op.stored.epoch) {
      violate("P2: the record of " + op.id + " is not what happened", op.convo);
    }
    op.stored.at = request->outcome.at;
    op.stored.detail = request->outcome.detail;
  }
}

void Model::apply_roster(const Op& op, std::uint64_t seq, ConvoState& state) {
  std::vector<std::size_t> leaving;
  if (const auto* add = std::get_if<core::AddMembers>(&op.command.what)) {
    for (const auto& user : add->users) {
      if (!state.active(user_of(user))) add_member(state, user_of(user), seq, false);
    }
  } else if (const auto* remove = std::get_if<core::RemoveMembers>(&op.command.what)) {
    for (const auto& user : remove->users) leaving.push_back(user_of(user));
  } else if (const auto* leave = std::get_if<core::LeaveConvo>(&op.command.what)) {
    leaving.push_back(user_of(leave->target));
  } else if (std::holds_alternative<core::ExternalCommit>(op.command.what)) {
    state.members[op.user].devices.insert(op.command.caller.device.value);
  }
  if (leaving.empty()) return;
  for (const auto user : leaving) drop_member(state, user, seq);
  promote_heir(state);
}

void Model::apply_parts(const Op& op, const storage::WriteSet& set, ConvoState& state) {
  if (const auto* update = std::get_if<core::UpdateGroupInfo>(&op.command.what)) {
    state.info = text_of(update->group_info.bytes);
    state.info_epoch = update->group_info.epoch.value;
  }
  const auto* parts = parts_of(op.command);
  if (parts == nullptr) return;
  if (parts->group_info) {
    state.info = text_of(parts->group_info->bytes);
    state.info_epoch = state.epoch;
  }
  if (parts->welcome) {
    const auto* stored = first_of<core::WelcomeStored>(set);
    if (stored == nullptr) {
      violate("D2: the Welcome of " + op.id + " was not stored with its commit", op.convo);
      return;
    }
    auto welcomes = *state.welcomes;
    for (const auto& recipient : parts->welcome->recipients) {
      const auto user = user_of(recipient.user);
      for (auto& older : welcomes) {  // K8
        if (older.user == user && older.device == recipient.device.value) older.pending = false;
      }
      welcomes.push_back({user, recipient.device.value, text_of(parts->welcome->bytes), state.epoch,
                          stored->at.value});
      if (!recipient.key_package_ref.empty()) {
        state.members[user].devices.insert(recipient.device.value);
      }
    }
    state.welcomes = std::make_shared<const Welcomes>(std::move(welcomes));
  }
  if (parts->key_packages.empty()) return;
  const auto* consumed = first_of<core::KeyPackagesConsumed>(set);
  if (consumed == nullptr) {
    violate("D2: the key packages of " + op.id + " were not used up with its commit", op.convo);
    return;
  }
  consume(op, consumed->at.value);
}

void Model::consume(const Op& op, std::int64_t at) {
  for (const auto& use : parts_of(op.command)->key_packages) {
    auto it = packages_.find(text_of(use.ref));
    if (it == packages_.end()) {
      violate("K3: " + op.id + " used a key package that was never published", op.convo);
      continue;
    }
    auto& package = it->second;
    if (!package.usable_by(op.user, at)) {
      violate((package.consumed ? "K1: " : "K3: ") + op.id + " used key package " + it->first +
                  (package.consumed ? " a second time" : ", which was not reserved to its sender"),
              op.convo);
    }
    if (!package.last_resort) package.consumed = true;
  }
}

void Model::confirmed(const core::ConvoId& id, const core::Caller& device, Timestamp now,
                      bool found) {
  auto& convo = convos_[convo_of(id)];
  auto state = convo.now();
  const auto at = welcome_of(state, user_of(device.user), device.device.value, now.value);
  if (at.has_value() != found) {
    violate("K6: a confirmation found " + std::string(found ? "a" : "no") + " Welcome",
            convo_of(id));
  }
  if (!at) return;
  auto welcomes = *state.welcomes;
  welcomes[*at].pending = false;
  state.welcomes = std::make_shared<const Welcomes>(std::move(welcomes));
  convo.versions.push_back(std::move(state));
}

// The newest of its own; one that was addressed to the whole user only if nothing newer was
// addressed to the device.
std::optional<std::size_t> Model::welcome_of(const ConvoState& state, std::size_t user,
                                             const std::string& device, std::int64_t now) {
  const auto& all = *state.welcomes;
  std::size_t newest_own = 0;  // place + 1
  std::optional<std::size_t> own;
  std::optional<std::size_t> shared;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].user != user) continue;
    const bool live = all[i].pending && now - all[i].at < welcome_days * day_ms;
    const bool mine = device.empty() || all[i].device == device;
    if (mine) newest_own = i + 1;
    if (mine && live) own = i;
    if (!mine && live && all[i].device.empty()) shared = i;
  }
  if (own) return own;
  return shared && *shared + 1 > newest_own ? shared : std::nullopt;
}

std::uint64_t Model::unread(std::size_t number, const ConvoState& state, std::size_t user) const {
  const auto* member = state.member(user);
  const auto& rows = convos_[number].rows;
  std::uint64_t count = 0;
  for (auto seq = std::max(member->read, member->join); seq < state.last_seq; ++seq) {
    if (rows[seq].kind == core::Kind::app && rows[seq].user != user) ++count;
  }
  return count;
}

}  // namespace catbird::sim
