// SPDX-License-Identifier: MIT
// What a client asks to be changed.
#include "sim/client.hpp"

#include <utility>

namespace catbird::sim {

namespace {
constexpr std::size_t rebuilds_max = 4;
constexpr std::uint64_t keyed_send_percent = 30;
constexpr std::uint64_t crime_percent = 6;

core::Hash payload_of(const std::string& id) {
  core::Hash hash{};
  for (std::size_t i = 0; i < id.size(); ++i)
    hash[i % hash.size()] ^= static_cast<std::uint8_t>(id[i]);
  return hash;
}
}  // namespace

std::string Client::new_name() {
  return "c" + std::to_string(identity_.number) + "-" + std::to_string(named_++);
}

core::Command Client::blank() const {
  core::Command command;
  command.caller = {user_did(identity_.user), core::DeviceId(identity_.device)};
  command.tag = tag_of(identity_.user);
  return command;
}

Op& Client::new_op(std::size_t convo, core::Command command) {
  std::string id;
  if (const auto* send = std::get_if<core::SendMessage>(&command.what)) {
    id = text_of(send->bytes);
  } else if (const auto* info = std::get_if<core::UpdateGroupInfo>(&command.what)) {
    id = text_of(info->group_info.bytes);
  } else {
    id = command.key ? command.key->key : new_name();
  }
  Op op;
  op.id = std::move(id);
  op.user = identity_.user;
  op.convo = convo;
  op.command = std::move(command);
  return outside_.book.add(std::move(op));
}

core::CommitPart Client::commit_part(const std::string& id, std::size_t convo) const {
  return {blob_of(id), group_of(convo), core::Epoch(views_[convo].epoch)};
}

void Client::create(std::size_t convo) {
  const auto id = new_name();
  core::CreateConvo create;
  create.group_id = group_of(convo);
  create.suite = 1;
  create.epoch = core::Epoch(sim_.pick(3));
  for (std::size_t user = 0; user < identity_.users_count; ++user) {
    if (sim_.chance(60)) create.initial_members.push_back(user_did(user));
  }
  auto command = blank();
  command.key = core::RequestKey{"createConvo", id, payload_of(id)};
  command.what = std::move(create);
  submit(new_op(convo, std::move(command)), Work::commit);
}

// One message, or several at once on one connection.
void Client::send(std::size_t convo, std::size_t burst) {
  const auto burst_id = burst > 1 ? identity_.number * 100'000 + named_ + 1 : 0;
  open_ = burst;
  for (std::size_t place = 0; place < burst; ++place) {
    const auto id = new_name();
    auto command = blank();
    if (sim_.chance(keyed_send_percent)) {
      command.key = core::RequestKey{"sendMessage", id, payload_of(id)};
    }
    command.what =
        core::SendMessage{.id = core::MsgId(id),
                          .kind = sim_.chance(15) ? core::Kind::proposal : core::Kind::app,
                          .group_id = group_of(convo),
                          .epoch = core::Epoch(views_[convo].epoch),
                          .bytes = blob_of(id)};
    auto& op = new_op(convo, std::move(command));
    op.burst = burst_id;
    op.place = place;
    submit(op, burst > 1 ? Work::burst : Work::send);
  }
}

void Client::change(Work work, std::size_t convo) {
  open_ = 1;
  const auto id = new_name();
  auto command = build(work, convo, id);
  if (!command) return read(Work::list, convo);
  submit(new_op(convo, std::move(*command)), work);
}

std::size_t Client::other_member(std::size_t convo) const {
  const auto& members = views_[convo].members;
  if (members.empty() || sim_.chance(10)) return sim_.pick(identity_.users_count);
  auto it = members.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(sim_.pick(members.size())));
  return *it;
}

// Nothing if a well-behaved client would not.
std::optional<core::Command> Client::build(Work work, std::size_t convo, const std::string& id) {
  const auto& view = views_[convo];
  auto command = blank();
  command.key = core::RequestKey{"change", id, payload_of(id)};
  core::GroupParts parts;
  parts.commit = commit_part(id, convo);
  if (sim_.chance(50)) {
    parts.group_info =
        core::GroupInfoPart{blob_of("info " + id), group_of(convo), core::Epoch(view.epoch + 1)};
  }
  switch (work) {
    case Work::commit:
      command.what = core::AddMembers{{}, std::move(parts)};
      return command;
    case Work::external:
      command.what = core::ExternalCommit{std::move(parts)};
      return command;
    case Work::add:
      return build_add(convo, id);
    case Work::remove: {
      if (!view.admin && !sim_.chance(30)) return std::nullopt;
      command.what = core::RemoveMembers{{user_did(other_member(convo))}, std::move(parts)};
      return command;
    }
    case Work::leave: {
      const bool other = sim_.chance(20);
      if (!other && view.members.size() < 3) return std::nullopt;
      if (sim_.chance(50)) parts = {};
      command.what = core::LeaveConvo{user_did(other ? other_member(convo) : identity_.user),
                                      std::move(parts)};
      return command;
    }
    case Work::group_info:
      command.key.reset();
      command.what = core::UpdateGroupInfo{{blob_of(id), group_of(convo), core::Epoch(view.epoch)}};
      return command;
    case Work::role:
    case Work::policy:
    case Work::warn:
    case Work::help:
      return build_governance(work, convo, id);
    default:
      command.key.reset();
      command.what = core::MarkRead{core::Seq(sim_.pick(view.last + 4))};
      return command;
  }
}

// What changes no MLS group, so has no epoch that could be stale. Who may not, tries as well.
core::Command Client::build_governance(Work work, std::size_t convo, const std::string& id) {
  auto command = blank();
  command.key = core::RequestKey{"govern", id, payload_of(id)};
  const auto maybe = [&]() -> std::optional<bool> {
    if (sim_.chance(60)) return std::nullopt;
    return sim_.chance(50);
  };
  switch (work) {
    case Work::role:
      command.what = core::ChangeRole{
          .target = user_did(sim_.chance(25) ? identity_.user : other_member(convo)),
          .role = sim_.chance(50) ? core::Role::admin : core::Role::moderator,
          .grant = sim_.chance(60)};
      break;
    case Work::policy: {
      core::ChangePolicy change;
      change.allow_invites = maybe();
      change.admin_only_invites = maybe();
      change.allow_member_add = maybe();
      change.allow_member_remove = maybe();
      change.require_admin_approval = maybe();
      if (sim_.chance(25)) {
        change.max_members = static_cast<std::uint16_t>(2 + sim_.pick(identity_.users_count + 1));
      }
      command.what = change;
      break;
    }
    case Work::warn:
      command.what = core::WarnMember{user_did(other_member(convo)), id, "reason of " + id};
      break;
    default:
      command.what = core::AskForHelp{
          sim_.chance(50) ? core::AskForHelp::With::group_info : core::AskForHelp::With::readdition,
          id};
  }
  return command;
}

// First the newcomer's key packages, then the commit.
void Client::add(std::size_t convo) {
  open_ = 1;
  const auto& members = views_[convo].members;
  target_ = sim_.pick(identity_.users_count);
  for (std::size_t i = 0; i < identity_.users_count && !sim_.chance(15); ++i) {
    if (!members.contains(target_)) break;
    target_ = (target_ + 1) % identity_.users_count;
  }
  if (sim_.chance(15)) {
    packages_.clear();  // it got the packages in some other way
    return change(Work::add, convo);
  }
  reserve(target_, [this, convo](const Packages& packages) {
    packages_ = packages;
    change(Work::add, convo);
  });
}

core::Command Client::build_add(std::size_t convo, const std::string& id) {
  auto command = blank();
  command.key = core::RequestKey{"addMembers", id, payload_of(id)};
  core::AddMembers add;
  add.users.push_back(user_did(target_));
  add.parts.commit = commit_part(id, convo);
  core::WelcomePart welcome{blob_of("welcome " + id), {}};
  for (const auto& package : packages_) {
    welcome.recipients.push_back({package.user, package.device, package.ref});
    add.parts.key_packages.push_back({package.ref, false});
  }
  if (packages_.empty()) welcome.recipients.push_back({user_did(target_), core::DeviceId(), {}});
  add.parts.welcome = std::move(welcome);
  if (sim_.chance(60)) {
    add.parts.group_info = core::GroupInfoPart{blob_of("info " + id), group_of(convo),
                                               core::Epoch(views_[convo].epoch + 1)};
  }
  command.what = std::move(add);
  return command;
}

void Client::submit(Op& op, Work work) {
  auto& trace = sim_.trace();
  if (trace.recording()) {
    trace.note(sim_.now(), op.convo,
               "user " + std::to_string(op.user) + " asks " + op.id + ", kind " +
                   std::to_string(op.command.what.index()) + ", epoch known " +
                   std::to_string(views_[op.convo].epoch));
  }
  auto asked = request(Request::What::command, op.convo);
  asked.command = op.command;
  caller_.call(std::move(asked), &op,
               [this, &op, work](const Answer& answer) { decided(op, work, answer); });
}

void Client::decided(Op& op, Work work, const Answer& answer) {
  learn(op, answer);
  if (work == Work::burst) {
    if (--open_ == 0) finish();
    return;
  }
  if (!answer.error) {
    if (op.is_once() && sim_.chance(outside_.swarm.again_percent)) return once_more(op);
    if (sim_.chance(crime_percent)) sim_.chance(50) ? poach(op) : misuse(op);
    return finish();
  }
  const bool stale = answer.error->code == Errc::epoch_mismatch;
  if (!stale || work == Work::group_info || ++rebuilds_ > rebuilds_max) {
    // Refused: look where things are before the next attempt.
    return list([this] { finish(); });
  }
  // Never stored, so it is rebuilt for the epoch that is true now.
  list([this, work, convo = op.convo] {
    if (work == Work::send) return send(convo, 1);
    change(work, convo);
  });
}

void Client::learn(const Op& op, const Answer& answer) {
  auto& view = views_[op.convo];
  if (answer.error) {
    if (answer.error->code == Errc::not_member) view.active = false;
    return;
  }
  view.epoch = std::max(view.epoch, answer.outcome.epoch.value);
  if (!governs(op.command)) view.last = std::max(view.last, answer.outcome.seq.value);
  if (std::holds_alternative<core::CreateConvo>(op.command.what)) {
    view.active = view.admin = true;
    view.members.insert(identity_.user);
    for (const auto& user : std::get<core::CreateConvo>(op.command.what).initial_members) {
      view.members.insert(user_of(user));
    }
  }
}

// An answered request again: every answer but the same one is wrong (P1).
void Client::once_more(Op& op) {
  auto asked = request(Request::What::command, op.convo);
  asked.command = op.command;
  caller_.call(std::move(asked), &op, [this](const Answer&) { finish(); });
}

// Another's msgId in the same conversation: refused, and nothing stored is shown.
void Client::poach(const Op& victim) {
  const auto* sent = std::get_if<core::SendMessage>(&victim.command.what);
  if (sent == nullptr || identity_.users_count < 2) return;
  const auto thief = (identity_.user + 1) % identity_.users_count;
  auto command = victim.command;
  command.caller = {user_did(thief), core::DeviceId()};
  command.tag = tag_of(thief);
  command.key.reset();
  auto theft = *sent;
  theft.bytes = blob_of(new_name());
  command.what = std::move(theft);
  auto& op = new_op(victim.convo, std::move(command));
  op.user = thief;
  op.forbidden = true;
  auto asked = request(Request::What::command, op.convo);
  asked.caller = op.command.caller;
  asked.command = op.command;
  caller_.call(std::move(asked), &op, [](const Answer&) {});
}

// A key that was used, with another request.
void Client::misuse(const Op& victim) {
  if (!victim.command.key || std::holds_alternative<core::SendMessage>(victim.command.what)) return;
  const auto id = new_name();
  Op op;
  op.id = id;
  op.user = identity_.user;
  op.convo = victim.convo;
  op.forbidden = true;
  op.command = blank();
  op.command.key = victim.command.key;
  op.command.key->payload = payload_of(id);
  core::GroupParts parts;
  parts.commit = commit_part(id, victim.convo);
  op.command.what = core::AddMembers{{}, std::move(parts)};
  auto& kept = outside_.book.add(std::move(op));
  auto asked = request(Request::What::command, kept.convo);
  asked.command = kept.command;
  caller_.call(std::move(asked), &kept, [](const Answer&) {});
}

}  // namespace catbird::sim
