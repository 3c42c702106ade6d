// SPDX-License-Identifier: MIT
#pragma once

#include "sim/book.hpp"
#include "sim/trace.hpp"
#include "storage/convo_store.hpp"
#include "storage/user_writer.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

// What must be true, in plain data: built from what clients asked for, in the order in which the
// store made it durable. Shares no code with core/.

namespace catbird::sim {

struct MemberState {
  bool active = true;
  bool admin = false;
  bool moderator = false;
  std::uint64_t join = 0;
  std::uint64_t left = 0;
  std::uint64_t read = 0;
  std::set<std::string> devices;
};
/// A pointer to a Welcome.
struct WelcomeState {
  std::size_t user = 0;
  std::string device;
  std::string text;
  std::uint64_t epoch = 0;
  std::int64_t at = 0;
  bool pending = true;
};
using Welcomes = std::vector<WelcomeState>;

/// What its admins allow.
struct PolicyState {
  bool invites = true;
  bool admin_only_invites = true;
  bool member_add = true;
  bool member_remove = false;
  bool approval = false;
  std::size_t members_max = 1000;

  bool members_add() const { return member_add && !approval; }
};

struct ConvoState {
  bool exists = false;
  std::size_t creator = nobody;
  std::uint64_t epoch = 0;
  std::uint64_t last_seq = 0;
  std::string info;  // the stored GroupInfo
  std::optional<std::uint64_t> info_epoch;
  std::map<std::size_t, MemberState> members;
  PolicyState policy;
  std::shared_ptr<const Welcomes> welcomes = std::make_shared<const Welcomes>();

  const MemberState* member(std::size_t user) const {
    auto it = members.find(user);
    return it == members.end() ? nullptr : &it->second;
  }
  bool active(std::size_t user) const {
    const auto* found = member(user);
    return found != nullptr && found->active;
  }
  bool admin(std::size_t user) const { return active(user) && member(user)->admin; }
  bool moderator(std::size_t user) const { return active(user) && member(user)->moderator; }
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(members, [](const auto& one) { return one.second.active; }));
  }
  std::size_t admins() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        members, [](const auto& one) { return one.second.active && one.second.admin; }));
  }
};

struct RowState {
  std::uint64_t position = 0;
  std::uint64_t seq = 0;
  std::uint64_t epoch = 0;
  core::Kind kind = core::Kind::app;
  std::string id;  // messages only
  std::string text;
  std::size_t user = 0;
  Timestamp at;
  bool foreign = false;  // no hub heard of it
};

/// One conversation, all it ever was: a version for every write.
struct ConvoHistory {
  std::vector<ConvoState> versions = std::vector<ConvoState>(1);
  std::vector<RowState> rows;
  std::uint64_t writes = 0;  // what the row's version must be
  std::uint64_t fence = 0;
  std::optional<std::size_t> unseen;  // first version that the node in charge need not know

  const ConvoState& now() const { return versions.back(); }
  std::size_t newest() const { return versions.size() - 1; }
  /// What every answer given from now on must include.
  std::size_t floor() const { return unseen ? *unseen - 1 : newest(); }
};

struct PackageModel {
  std::size_t owner = 0;
  std::string device;
  std::uint16_t suite = 0;
  bool last_resort = false;
  std::int64_t not_after = 0;
  std::size_t reserved_by = nobody;
  std::int64_t reserved_until = 0;
  bool consumed = false;
  std::set<std::size_t> handed_to;

  bool usable_by(std::size_t user, std::int64_t now) const {
    if (consumed) return false;
    return last_resort ? not_after > now : reserved_by == user && reserved_until > now;
  }
};

struct Violation {
  std::string text;
  std::size_t convo = Trace::everywhere;
};

class Model {
 public:
  Model(Book& book, std::size_t convos) : book_(book), convos_(convos) {}

  /// A write set became durable.
  void committed(const storage::WriteSet& set, std::uint64_t first_position, bool foreign);
  /// So did a job's writes outside conversations.
  void published(const core::Caller& owner, const storage::NewKeyPackage& package,
                 storage::PublishResult result);
  void reserved(const storage::ReserveQuery& query,
                const std::vector<storage::ReservedKeyPackage>& given);
  void confirmed(const core::ConvoId& convo, const core::Caller& device, Timestamp now, bool found);

  const ConvoHistory& convo(std::size_t convo) const { return convos_[convo]; }
  std::size_t convos_count() const { return convos_.size(); }
  const std::map<std::string, PackageModel>& packages() const { return packages_; }
  /// Where a row of a position is: conversation and index.
  struct Place {
    std::size_t convo = 0;
    std::size_t index = 0;
  };
  const std::map<std::uint64_t, Place>& positions() const { return positions_; }
  std::uint64_t last_position() const {
    return positions_.empty() ? 0 : positions_.rbegin()->first;
  }
  /// The pending Welcome of a device, as a place in `state.welcomes`.
  static std::optional<std::size_t> welcome_of(const ConvoState& state, std::size_t user,
                                               const std::string& device, std::int64_t now);
  /// Messages of others after the read mark (U1).
  std::uint64_t unread(std::size_t convo, const ConvoState& state, std::size_t user) const;

  /// Nothing if this op may be accepted in that state; else which invariant forbids it.
  std::optional<std::string> forbids(const Op& op, const ConvoState& state) const;
  /// Every reason to refuse an op that changes no group: roles, policy, warnings, calls for help.
  static std::vector<Errc> objections(const Op& op, const ConvoState& state);
  /// Whether a refusal with this code is true of that state.
  bool justifies(Errc code, const Op& op, const ConvoState& state, std::int64_t now) const;

  void violate(std::string text, std::size_t convo = Trace::everywhere) {
    violations_.push_back({std::move(text), convo});
  }
  const std::vector<Violation>& violations() const { return violations_; }

 private:
  Op* op_of(const storage::WriteSet& set);
  void mark_read(ConvoState& state, const core::ReadMarked& mark, std::size_t convo);
  void apply(Op& op, const storage::WriteSet& set, ConvoState& state);
  void apply_roster(const Op& op, std::uint64_t seq, ConvoState& state);
  void apply_governance(Op& op, const storage::WriteSet& set, ConvoState& state);
  void apply_parts(const Op& op, const storage::WriteSet& set, ConvoState& state);
  void consume(const Op& op, std::int64_t at);
  void append_row(Op& op, const storage::WriteSet& set, std::uint64_t position, bool foreign);
  void check_owner(const storage::WriteSet& set, std::size_t convo);

  Book& book_;
  std::vector<ConvoHistory> convos_;
  std::map<std::string, PackageModel> packages_;
  std::map<std::uint64_t, Place> positions_;
  std::vector<Violation> violations_;
};

}  // namespace catbird::sim
