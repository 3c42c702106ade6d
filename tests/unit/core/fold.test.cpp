// SPDX-License-Identifier: MIT
// State is a function of events only: random histories, each from one seed.
#include "unit/core/world.hpp"

#include <algorithm>
#include <random>
#include <set>
#include <string>

namespace catbird::core {
namespace {

constexpr std::uint64_t seeds_count = 150;
constexpr int commands_count = 120;

class RandomCommands {
 public:
  explicit RandomCommands(std::uint64_t seed) : random_(seed) {}

  Command next(const Conversation& convo) {
    const auto caller = user();
    auto out = any(convo, caller);
    if (pick(3) == 0) out = keyed(std::move(out), std::to_string(pick(20)), pick(2) ? 1 : 2);
    if (pick(4) == 0) out.caller.device = DeviceId("d" + std::to_string(pick(3)));
    return out;
  }
  Timestamp now() { return Timestamp(start.value + static_cast<std::int64_t>(pick(1'000'000))); }

 private:
  std::uint64_t pick(std::uint64_t n) { return random_() % n; }
  Did user() { return Did("did:plc:user" + std::to_string(pick(6))); }
  std::vector<Did> some() {
    std::vector<Did> out;
    for (auto left = pick(3); left > 0; --left) out.push_back(user());
    return out;
  }
  // Mostly the current epoch, sometimes one beside it.
  std::uint64_t near(const Conversation& convo) {
    const auto epoch = convo.epoch().value;
    if (pick(5) != 0) return epoch;
    return pick(2) == 0 || epoch == 0 ? epoch + 1 : epoch - 1;
  }
  GroupParts parts(const Conversation& convo) {
    GroupParts out;
    if (pick(3) != 0) out = with_commit(near(convo), std::to_string(pick(1000)));
    if (pick(4) == 0) {
      out.welcome = WelcomePart{blob("w"), {{user(), DeviceId("d1"), bytes("ref")}}};
    }
    if (pick(4) == 0) out.group_info = info_part(near(convo) + (out.commit ? 1 : 0));
    return out;
  }
  Command any(const Conversation& convo, const Did& caller) {
    switch (pick(10)) {
      case 0:
        return create(some(), caller, pick(3));
      case 1:
        return add(caller, some(), parts(convo));
      case 2:
        return take_out(caller, some(), parts(convo));
      case 3:
        return leave(caller, pick(2) == 0 ? caller : user(), parts(convo));
      case 4:
        return command(caller, ExternalCommit{with_commit(near(convo))});
      case 5:
        return command(caller, UpdateGroupInfo{info_part(near(convo))});
      case 6:
        return mark_read(caller, pick(40));
      default:
        return message(caller, "m" + std::to_string(pick(60)), near(convo));
    }
  }

  std::mt19937_64 random_;
};

void expect_sound(const Conversation& convo) {
  const auto& state = convo.state();
  EXPECT_TRUE(std::ranges::is_sorted(state.members.all(), {}, &Member::user));
  bool anyone = false;
  bool admin = false;
  for (const auto& one : state.members.all()) {
    anyone |= one.active();
    admin |= one.admin;
    EXPECT_TRUE(one.active() || !one.admin);
    EXPECT_TRUE(one.active() || one.devices.empty());
    EXPECT_LE(one.read_seq, state.last_seq);
    EXPECT_LE(one.join_seq, state.last_seq);
    EXPECT_TRUE(std::ranges::is_sorted(one.devices));
  }
  EXPECT_EQ(anyone, admin) << "a conversation with members has an admin (A3)";
  EXPECT_LE(state.creation_epoch, state.epoch);
}

// Every accepted row follows the last one; every commit leads from the epoch before it.
class RowChecker {
 public:
  void see(const Event& event) {
    if (const auto* created = std::get_if<ConvoCreated>(&event)) epoch_ = created->epoch;
    const auto* row = std::get_if<RowAppended>(&event);
    if (row == nullptr) return;
    EXPECT_EQ(row->seq.value, ++last_);
    if (row->kind == Kind::commit) {
      EXPECT_EQ(row->base, epoch_);
      EXPECT_TRUE(bases_.insert(epoch_).second) << "two commits on one epoch (O1)";
      ++epoch_.value;
    }
    EXPECT_EQ(row->epoch, epoch_);
    EXPECT_TRUE(row->kind == Kind::commit || ids_.insert(row->id).second);
  }

 private:
  std::uint64_t last_ = 0;
  Epoch epoch_;
  std::set<Epoch> bases_;
  std::set<MsgId> ids_;
};

TEST(Conversation, is_the_fold_of_its_events_whatever_is_asked) {
  std::size_t accepted = 0;
  for (std::uint64_t seed = 1; seed <= seeds_count && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomCommands commands(seed);
    Conversation head;
    std::vector<Event> log;
    RowChecker rows;
    for (int i = 0; i < commands_count; ++i) {
      const auto before = head.state();
      const auto decision = head.decide(commands.next(head), commands.now());
      EXPECT_EQ(head.state(), before) << "decide() changed something";
      if (!decision) continue;
      accepted += !decision->events.empty();
      for (const auto& event : decision->events) {
        head.apply(event);
        rows.see(event);
        log.push_back(event);
      }
      if (head.exists()) expect_sound(head);
    }

    Conversation folded;
    for (const auto& event : log) folded.apply(event);

    EXPECT_EQ(folded.state(), head.state());
    EXPECT_EQ(folded.keys().size(), head.keys().size());
  }
  EXPECT_GT(accepted, seeds_count * 12) << "the commands did nothing";
}

TEST(Conversation, decides_alike_after_a_reload_in_the_middle) {
  for (std::uint64_t seed = 1; seed <= seeds_count && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomCommands commands(seed);
    Conversation kept;
    for (int i = 0; i < commands_count; ++i) {
      // As an actor reloads: the state from the store, the keys from the store.
      Conversation reloaded(kept.state());
      reloaded.keys() = kept.keys();
      const auto command = commands.next(kept);
      const auto now = commands.now();

      const auto a = kept.decide(command, now);
      const auto b = reloaded.decide(command, now);

      ASSERT_EQ(a.has_value(), b.has_value());
      if (!a) {
        EXPECT_EQ(a.error().code, b.error().code);
        continue;
      }
      EXPECT_EQ(a->outcome, b->outcome);
      ASSERT_EQ(a->events.size(), b->events.size());
      for (const auto& event : a->events) kept.apply(event);
      for (const auto& event : b->events) reloaded.apply(event);
      EXPECT_EQ(kept.state(), reloaded.state());
    }
  }
}

}  // namespace
}  // namespace catbird::core
