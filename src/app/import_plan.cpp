// SPDX-License-Identifier: MIT
#include "app/import_plan.hpp"

#include "core/limits.hpp"
#include "mls/framing.hpp"
#include "mls/parse.hpp"
#include "mls/verify.hpp"
#include "xrpc/shapes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace catbird::app {

namespace {

using storage::OldMember;
using storage::OldMessage;

constexpr std::size_t msg_id_bytes_max = 128;
constexpr std::uint16_t default_suite = 1;

/// One of the predecessor's rows, with what its MLS framing says.
struct Sorted {
  const OldMessage* old = nullptr;
  std::optional<mls::FramingHead> mls;
  bool commit = false;
};

class Planner {
 public:
  Planner(const OldRows& old, Timestamp now) : old_(old), now_(now) {}

  Result<ConvoPlan> plan() {
    if (auto named = name(); !named) return std::unexpected(named.error());
    sort_rows();
    choose_epoch();
    choose_commits();
    number_rows();
    add_members();
    add_welcomes();
    return std::move(plan_);
  }

 private:
  void remark(std::string text) { plan_.remarks.push_back(std::move(text)); }

  Result<void> name() {
    const auto& convo = old_.convo;
    auto id = xrpc::convo_id(convo.id);
    if (!id) return fail(Errc::invalid_request, "its id is empty or too long");
    plan_.convo = std::move(*id);
    const auto creator = old_name(convo.creator);
    if (!creator) return fail(Errc::invalid_request, "its creator is no DID");
    plan_.creator = creator->user;
    plan_.created_at = convo.created_at;
    plan_.name = convo.name.size() > core::name_bytes_max ? std::string() : convo.name;
    if (plan_.name != convo.name) remark("its name is too long and was left out");
    const auto* suite = mls::suite_by_name(convo.suite);
    plan_.suite = suite != nullptr ? suite->id : default_suite;
    if (suite == nullptr) remark("its cipher suite is not known, and taken for suite 1");
    return {};
  }

  // The numbers, where rows have them. Those that never got one (commits of the first version) go
  // where their time puts them.
  void sort_rows() {
    std::vector<const OldMessage*> late;
    for (const auto& row : old_.messages) {
      if (row.size <= 0 || std::cmp_greater(row.size, core::blob_bytes_max)) {
        remark("message " + row.id + ": " + (row.size <= 0 ? "empty" : "above 7 MiB"));
      } else if (row.seq > 0) {
        rows_.push_back({&row, {}, false});
      } else {
        late.push_back(&row);
      }
    }
    for (const auto* row : late) {
      const auto after =
          std::ranges::find_if(rows_, [row](const auto& one) { return one.old->at > row->at; });
      rows_.insert(after, {row, {}, false});
    }
    for (auto& row : rows_) {
      row.commit = row.old->kind == "commit";
      row.mls = mls::read_framing_head(row.old->head);
    }
  }

  void choose_epoch() {
    std::optional<std::uint64_t> seen;
    auto see = [&seen](std::uint64_t epoch) { seen = std::max(seen.value_or(0), epoch); };
    std::map<Bytes, int> groups;
    for (const auto& row : rows_) {
      if (!row.mls) continue;
      if (row.commit) see(row.mls->epoch + 1);
      ++groups[Bytes(row.mls->group_id.begin(), row.mls->group_id.end())];
    }
    auto info = mls::read_group_info(old_.convo.group_info);
    if (!old_.convo.group_info.empty() && !info) remark("its GroupInfo cannot be read");
    if (info) {
      see(info->context.epoch);
      ++groups[Bytes(info->context.group_id.begin(), info->context.group_id.end())];
    }
    const auto counted = static_cast<std::uint64_t>(std::max<std::int64_t>(0, old_.convo.epoch));
    // Messages were never compared with anything: one that claims a far epoch proves nothing.
    const auto likeliest = std::max(seen.value_or(0), counted) + 1;
    for (const auto& row : rows_) {
      if (row.mls && !row.commit && row.mls->epoch <= likeliest) see(row.mls->epoch);
    }
    // Without any MLS bytes: a group with a Welcome has committed its adds already.
    const std::uint64_t least = old_.welcomes.empty() ? 0 : 1;
    plan_.epoch = core::Epoch(seen.value_or(std::max(counted, least)));
    if (seen && *seen != counted) {
      remark("its epoch is " + std::to_string(*seen) + " by its MLS messages, where " +
             std::to_string(counted) + " was counted");
    }
    const auto likely =
        std::ranges::max_element(groups, {}, [](const auto& g) { return g.second; });
    const auto& text = old_.convo.group_id.empty() ? old_.convo.id : old_.convo.group_id;
    plan_.group_id = from_hex(text).value_or(Bytes(text.begin(), text.end()));
    if (likely != groups.end()) plan_.group_id = likely->first;
    const bool current = info && info->context.epoch == plan_.epoch.value &&
                         std::ranges::equal(info->context.group_id, plan_.group_id);
    if (current) plan_.group_info = old_.convo.group_info;
    if (info && !current) remark("its GroupInfo is of an older epoch or another group");
  }

  // One commit per epoch, without a gap, up to the epoch as it is: the end of the chain.
  void choose_commits() {
    std::map<std::uint64_t, const OldMessage*> first;
    for (const auto& row : rows_) {
      if (!row.commit) continue;
      if (row.mls) first.try_emplace(row.mls->epoch, row.old);
    }
    auto base = plan_.epoch.value;
    while (base > 0 && first.contains(base - 1)) chain_.emplace(--base, first.at(base));
    plan_.creation_epoch = core::Epoch(base);
    for (const auto& row : rows_) {
      if (!row.commit) continue;
      if (!row.mls) {
        remark("commit " + row.old->id + ": not an MLS message");
      } else if (first.at(row.mls->epoch) != row.old) {
        remark("commit " + row.old->id + ": a fork, another one of epoch " +
               std::to_string(row.mls->epoch) + " came first");
      } else if (!chain_.contains(row.mls->epoch)) {
        remark("commit " + row.old->id + ": one that follows it is missing, of no use to anyone");
      }
    }
  }

  // Commits of the chain keep their places among the rows, in the order of their epochs.
  void number_rows() {
    auto next_commit = chain_.begin();
    auto epoch = plan_.creation_epoch;
    std::set<std::string> ids;
    for (const auto& row : rows_) {
      const auto* old = row.old;
      PlannedRow planned;
      if (row.commit) {
        const auto mine = row.mls ? chain_.find(row.mls->epoch) : chain_.end();
        if (mine == chain_.end() || mine->second != old) continue;
        old = next_commit->second;
        planned.kind = core::Kind::commit;
        planned.base = core::Epoch((next_commit++)->first);
        ++epoch.value;
      } else if (old->kind == "proposal") {
        planned.kind = core::Kind::proposal;
      }
      auto id = old->msg_id.empty() || row.commit ? old->id : old->msg_id;
      if (id.size() > msg_id_bytes_max || ids.contains(id)) id = old->id;
      if (id.empty() || id.size() > msg_id_bytes_max || !ids.insert(id).second) {
        remark("message " + old->id + ": its id is taken or too long, it gets a new one");
        id = "imported-" + std::to_string(plan_.rows.size() + 1);
        ids.insert(id);
      }
      planned.source = old->row;
      planned.seq = core::Seq(plan_.rows.size() + 1);
      planned.epoch = epoch;
      planned.id = core::MsgId(std::move(id));
      planned.at = old->at;
      if (const auto sender = old_name(old->sender)) planned.sender = sender->user;
      if (row.commit && planned.sender.value.empty()) planned.sender = plan_.creator;
      if (std::cmp_not_equal(old->seq, planned.seq.value)) ++plan_.renumbered;
      plan_.rows.push_back(std::move(planned));
    }
  }

  core::Seq rows_before(Timestamp time) const {
    const auto count =
        std::ranges::count_if(plan_.rows, [time](const auto& row) { return row.at < time; });
    return core::Seq(static_cast<std::uint64_t>(count));
  }

  core::Epoch epoch_at(core::Seq seq) const {
    return seq.value == 0 ? plan_.creation_epoch : plan_.rows[seq.value - 1].epoch;
  }

  // Later versions have a row per device of a user.
  void add_members() {
    std::map<core::Did, std::vector<std::pair<const OldMember*, core::DeviceId>>> users;
    for (const auto& row : old_.members) {
      auto named = old_name(row.user, row.device);
      if (named) {
        users[named->user].emplace_back(&row, std::move(named->device));
      } else {
        remark("a member whose name is no DID");
      }
    }
    if (users.size() > core::members_max) remark("it has more than 1,000 members");
    for (const auto& [user, rows] : users) plan_.members.push_back(member(user, rows));
    auto active = [](const auto& one) { return !one.left_seq; };
    const bool led = std::ranges::any_of(plan_.members,
                                         [&](const auto& one) { return one.admin && active(one); });
    if (led) return;
    PlannedMember* oldest = nullptr;
    for (auto& one : plan_.members) {
      if (!active(one)) continue;
      if (one.user == plan_.creator) {
        oldest = &one;
        break;
      }
      if (oldest == nullptr || one.joined_at < oldest->joined_at) oldest = &one;
    }
    if (oldest == nullptr) return remark("nobody is left in it");
    oldest->admin = true;
    if (oldest->user != plan_.creator) {
      remark("it had no admin: its longest-standing member is one now");
    }
  }

  PlannedMember member(const core::Did& user,
                       const std::vector<std::pair<const OldMember*, core::DeviceId>>& rows) const {
    PlannedMember out;
    out.user = user;
    out.joined_at = rows.front().first->joined_at;
    std::optional<Timestamp> left = Timestamp{};
    std::int64_t unread = 0;
    std::set<core::DeviceId> devices;
    for (const auto& [row, device] : rows) {
      out.joined_at = std::min(out.joined_at, row->joined_at);
      if (row->left_at && left) left = std::max(*left, *row->left_at);
      if (row->left_at) continue;
      left.reset();
      out.admin = out.admin || row->admin;
      unread = std::max(unread, row->unread);
      if (!device.value.empty()) devices.insert(device);
    }
    // Times of rows may be rounded down: rather one row too many than one too few.
    const Timestamp joined(out.joined_at.value - core::row_time_bucket_ms);
    if (user != plan_.creator) out.join_seq = rows_before(joined);
    const auto last = static_cast<std::int64_t>(plan_.rows.size());
    const auto read = static_cast<std::uint64_t>(std::max<std::int64_t>(0, last - unread));
    out.read_seq = std::max(out.join_seq, core::Seq(read));
    if (left) {
      out.left_seq = std::max(out.join_seq, rows_before(Timestamp(left->value + 1)));
      out.left_epoch = epoch_at(*out.left_seq);
      out.left_at = *left;
      out.read_seq = out.join_seq;
      return out;
    }
    out.devices.assign(devices.begin(), devices.end());
    return out;
  }

  void add_welcomes() {
    for (const auto& old : old_.welcomes) {
      if (old.consumed) continue;
      const auto name = old_name(old.recipient);
      const auto* member = name ? find_active(name->user) : nullptr;
      auto welcome = mls::read_welcome(old.bytes);
      if (now_.value - old.at.value >= core::welcome_life_ms) {
        remark("Welcome " + old.id + ": older than 90 days");
      } else if (member == nullptr) {
        remark("Welcome " + old.id + ": its reader is not a member");
      } else if (!welcome || old.bytes.size() > core::blob_bytes_max) {
        remark("Welcome " + old.id + ": not an MLS Welcome");
      } else {
        plan_.welcomes.push_back(
            {name->user, name->device, ref_in(*welcome, old.hash), old.bytes, old.at});
      }
    }
  }

  const PlannedMember* find_active(const core::Did& user) const {
    const auto it = std::ranges::find(plan_.members, user, &PlannedMember::user);
    return it == plan_.members.end() || it->left_seq ? nullptr : &*it;
  }

  static Bytes ref_in(const mls::Welcome& welcome, const Bytes& hash) {
    for (const auto& secret : welcome.secrets) {
      const bool mine = welcome.secrets.size() == 1 || std::ranges::equal(secret.new_member, hash);
      if (mine) return {secret.new_member.begin(), secret.new_member.end()};
    }
    return {};
  }

  const OldRows& old_;
  Timestamp now_;
  ConvoPlan plan_;
  std::vector<Sorted> rows_;
  std::map<std::uint64_t, const OldMessage*> chain_;  // by base epoch
};

}  // namespace

Result<ConvoPlan> plan_convo(const OldRows& old, Timestamp now) { return Planner(old, now).plan(); }

std::optional<OldName> old_name(const std::string& text, const std::string& device) {
  auto found = xrpc::address(text);
  if (!found) return std::nullopt;
  OldName name{std::move(found->user), found->device.value_or(core::DeviceId())};
  if (!device.empty()) name.device = core::DeviceId(device);
  return name;
}

}  // namespace catbird::app
