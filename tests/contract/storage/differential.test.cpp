// SPDX-License-Identifier: MIT
// One random life of three conversations, decided by core and written to every backend: all of them
// must answer alike, and what they load must be the fold of the events.
#include "contract/storage/describe.hpp"
#include "contract/storage/fixture.hpp"
#include "core/limits.hpp"
#include "support/rows.hpp"

#include <map>
#include <random>

namespace catbird::storage {
namespace {

constexpr int steps = 120;
constexpr int steps_max = 50;  // of one cleaning
const std::vector<core::Did> users = {alice, bob, carol, core::Did("did:plc:dave"),
                                      core::Did("did:web:eve.example")};
const std::vector<core::DeviceId> devices = {core::DeviceId(""), core::DeviceId("phone"),
                                             core::DeviceId("laptop")};

class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed) {
    for (const auto& one : all_backends()) {
      names_.emplace_back(one.name);
      backends_.push_back(one.make());
      readers_.push_back(std::move(*backends_.back()->stores().open_reader()));
    }
    for (const auto* id : {"c1", "c2", "c3"}) scripts_.emplace_back(id, core::Fence(1));
    for (const auto& script : scripts_) {
      convos_.emplace(script.id, core::Conversation());
    }
  }

  void step() {
    now_ += pick(core::reservation_ms / 2);
    if (pick(12) == 0) return clean();
    if (pick(4) == 0) return act_outside();
    auto& script = scripts_[pick(scripts_.size())];
    auto& convo = convos_.at(script.id);
    const auto command = make_command(script.id, convo);
    const auto decision = convo.decide(command, Timestamp(now_));
    if (!decision || decision->events.empty()) return;
    write(script, convo, *decision);
  }

  void compare_reads() {
    const auto user = users[pick(users.size())];
    const core::Caller caller{user, devices[pick(devices.size())]};
    const auto& script = scripts_[pick(scripts_.size())];
    const auto last = convos_.at(script.id).last_seq().value;
    const core::Seq from(pick(last + 2));
    const core::Seq until(pick(last + 3));
    const auto position = pick(total_rows_ + 2);
    const std::size_t rows_max = pick(6);
    const std::size_t bytes_max = pick(200);
    same("load", [&](Reader& r) { return describe(r.load(script.id)->state); });
    same("keys", [&](Reader& r) { return describe(*r.load_keys(script.id, rows_max)); });
    same("page", [&](Reader& r) {
      const auto page = *r.page({script.id, from, until, rows_max, bytes_max});
      return describe(page.rows) + " from " + std::to_string(page.first_seq.value);
    });
    same("commits", [&](Reader& r) {
      return describe(*r.commits({script.id, core::Epoch(pick_fixed(from.value)), core::Epoch(99),
                                  from, until, bytes_max}));
    });
    same("log", [&](Reader& r) {
      std::vector<core::ConvoId> wanted;
      for (const auto& one : scripts_) wanted.push_back(one.id);
      if (rows_max % 2 == 1) wanted.pop_back();
      return describe(*r.log({wanted, position, rows_max, bytes_max}));
    });
    same("convos", [&](Reader& r) {
      ConvoQuery query;
      query.user = user;
      query.rows_max = rows_max;
      query.tag = [&](const core::ConvoId&) { return tag_of(user); };
      return describe(*r.convos(query));
    });
    same("windows", [&](Reader& r) { return describe(*r.windows(user)); });
    same("group info", [&](Reader& r) { return describe(*r.group_info(script.id)); });
    same("welcome",
         [&](Reader& r) { return describe(*r.welcome(script.id, caller, Timestamp(now_))); });
    same("packages",
         [&](Reader& r) { return describe(*r.find_key_packages(published_, Timestamp(now_))); });
    PackageQuery mine;
    mine.user = user;
    mine.used = pick(2) == 0;
    mine.now = Timestamp(now_);
    mine.rows_max = rows_max;
    if (pick(2) == 0) mine.device = caller.device;
    same("own packages", [&](Reader& r) { return describe(*r.packages(mine)); });
    same("stats", [&](Reader& r) { return describe(*r.key_package_stats(user, Timestamp(now_))); });
    same("notices", [&](Reader& r) {
      return describe(*select<NoticeRecord>(
          r.tables(), {.where = {where("position", Filter::Op::above, position)},
                       .order = "position",
                       .rows_max = rows_max}));
    });
    same("position", [&](Reader& r) { return std::to_string(*r.last_position()); });
  }

  void compare_with_the_fold() {
    for (const auto& [id, convo] : convos_) {
      for (std::size_t i = 0; i < readers_.size(); ++i) {
        EXPECT_EQ(describe(readers_[i]->load(id)->state), describe(convo.state())) << names_[i];
        auto keys = *readers_[i]->load_keys(id, core::key_window_max);
        EXPECT_TRUE(keys.complete);
        EXPECT_EQ(keys.keys.size(), convo.keys().size());
        for (const auto& known : keys.keys) {
          const auto* folded = convo.keys().find(known.key);
          ASSERT_NE(folded, nullptr) << names_[i] << " invents a key";
          EXPECT_EQ(describe(*folded), describe(known));
          EXPECT_EQ(describe(readers_[i]->find_key(id, known.key)->value()), describe(known));
        }
      }
    }
  }

  void reopen() {
    readers_.clear();
    for (auto& backend : backends_) {
      backend->reopen();
      readers_.push_back(std::move(*backend->stores().open_reader()));
    }
  }

  std::uint64_t committed() const { return committed_; }
  std::uint64_t refused() const { return refused_; }

 private:
  std::uint64_t pick(std::uint64_t below) { return below == 0 ? 0 : random_() % below; }
  static std::uint64_t pick_fixed(std::uint64_t value) { return value % 4; }
  core::Did someone() { return users[pick(users.size())]; }
  std::string fresh(const char* prefix) { return prefix + std::to_string(++names_made_); }

  template <class Ask>
  void same(const char* what, Ask ask) {
    const auto expected = ask(*readers_[0]);
    for (std::size_t i = 1; i < readers_.size(); ++i) {
      EXPECT_EQ(ask(*readers_[i]), expected) << what << ": " << names_[i] << " and " << names_[0];
    }
  }

  core::GroupParts parts(const core::Conversation& convo, const std::vector<core::Did>& joiners) {
    core::GroupParts out;
    const auto next = convo.exists() ? convo.epoch().value + 1 : 1;
    if (convo.exists() && pick(4) != 0) {
      out.commit = core::CommitPart{blob(fresh("commit ")), convo.state().group_id, convo.epoch()};
    }
    if (!joiners.empty() && pick(2) == 0) {
      core::WelcomePart welcome{blob(fresh("welcome ")), {}};
      for (const auto& user : joiners) {
        const auto device = devices[pick(devices.size())];
        welcome.recipients.push_back({user, device, pick(2) == 0 ? Bytes{} : id32("some ref")});
      }
      out.welcome = std::move(welcome);
    }
    if (out.commit && pick(2) == 0) {
      out.group_info =
          core::GroupInfoPart{blob(fresh("info ")), convo.state().group_id, core::Epoch(next)};
    }
    if (!published_.empty() && pick(3) == 0) {
      out.key_packages.push_back({published_[pick(published_.size())], true});
    }
    return out;
  }

  core::Command make_command(const core::ConvoId& id, const core::Conversation& convo) {
    core::Command command;
    command.caller = {someone(), devices[pick(devices.size())]};
    command.tag = tag_of(command.caller.user);
    if (pick(3) == 0) command.key = core::RequestKey{"method", fresh("key "), {}};
    const auto other = someone();
    if (!convo.exists()) {
      command.what = core::CreateConvo{id32(id.value),       1, "name", {other}, core::Epoch(1),
                                       parts(convo, {other})};
      return command;
    }
    switch (pick(14)) {
      case 10:
        command.what = core::ChangeRole{
            other, pick(2) == 0 ? core::Role::admin : core::Role::moderator, pick(3) != 0};
        break;
      case 11: {
        core::ChangePolicy change;
        change.allow_member_add = pick(3) != 0;
        if (pick(2) == 0) change.max_members = static_cast<std::uint16_t>(2 + pick(6));
        command.what = change;
        break;
      }
      case 12:
        command.what = core::WarnMember{other, fresh("warning "), "reason"};
        break;
      case 13:
        command.what = core::AskForHelp{core::AskForHelp::With::readdition, fresh("request ")};
        break;
      case 0:
      case 1:
        command.what = core::AddMembers{{other}, parts(convo, {other})};
        break;
      case 2:
        command.what = core::RemoveMembers{{other}, parts(convo, {})};
        break;
      case 3:
        command.what = core::LeaveConvo{command.caller.user, parts(convo, {})};
        break;
      case 4:
        command.what = core::ExternalCommit{parts(convo, {})};
        break;
      case 5:
        command.what =
            core::UpdateGroupInfo{{blob(fresh("info ")), convo.state().group_id, convo.epoch()}};
        break;
      case 6:
        command.what = core::MarkRead{core::Seq(pick(convo.last_seq().value + 2))};
        break;
      default:
        // Sometimes an id that was used: core answers from its keys, or refuses.
        command.what = core::SendMessage{core::MsgId(pick(8) == 0 ? "m1" : fresh("m")),
                                         pick(6) == 0 ? core::Kind::proposal : core::Kind::app,
                                         convo.state().group_id, convo.epoch(),
                                         blob(std::string(pick(60), 'x'))};
    }
    return command;
  }

  void write(Script& script, core::Conversation& convo, const core::Decision& decision) {
    if (!convo.exists()) script.epoch = core::Epoch(1);
    auto set = script.set(decision.events);
    set.creates = !convo.exists();
    if (pick(10) == 0) set.version = core::Version(set.version.value + 1 + pick(2));
    if (pick(10) == 0) set.fence = core::Fence(pick(script.fence.value + 3));
    std::vector<BatchResult> results;
    for (auto& backend : backends_) {
      results.push_back(backend->stores().writer().commit(std::vector{set}, {}));
    }
    const auto& one = results[0].sets.at(0);
    for (std::size_t i = 1; i < results.size(); ++i) {
      const auto& other = results[i].sets.at(0);
      EXPECT_EQ(other.status, one.status) << names_[i] << ": " << other.error.detail;
      EXPECT_EQ(other.error.code, one.error.code);
      EXPECT_EQ(other.first_position, one.first_position);
    }
    if (one.status != CommitStatus::committed) {
      ++refused_;
      return;
    }
    ++committed_;
    total_rows_ += set.new_last_seq.value - set.last_seq.value;
    script.follow(set);
    script.fence = set.fence;
    for (const auto& event : decision.events) convo.apply(event);
  }

  // The same job on every backend, and the same answer.
  void act_outside() {
    const auto user = someone();
    const core::Caller owner{user, devices[pick(devices.size())]};
    const auto choice = pick(6);
    core::Noted noted;
    noted.kind = core::NoticeKind::new_device;
    noted.user = user;
    noted.actor = user;
    noted.reference = fresh("addition ");
    std::optional<std::vector<Bytes>> only;
    if (pick(3) != 0) only = hashes_;
    const auto name = fresh("package ");
    const NewKeyPackage package{id32("r " + name),
                                id32("h " + name),
                                static_cast<std::uint16_t>(1 + pick(2)),
                                pick(5) == 0,
                                Timestamp(now_ + static_cast<std::int64_t>(pick(day_ms))),
                                Bytes(pick(50), 7)};
    const ReserveQuery query{someone(), user, std::nullopt, static_cast<std::uint16_t>(1 + pick(2)),
                             Timestamp(now_)};
    const auto convo = scripts_[pick(scripts_.size())].id;
    std::string first;
    for (std::size_t i = 0; i < backends_.size(); ++i) {
      std::string answer;
      const UserJob job{[&](UserWriter& writer) -> Result<void> {
        if (choice == 0) {
          answer = std::to_string(static_cast<int>(*writer.publish(owner, package, query.now)));
        } else if (choice == 1) {
          answer = describe(*writer.reserve(query));
        } else if (choice == 2) {
          answer = std::to_string(*writer.confirm_welcome(convo, owner, query.now));
        } else if (choice == 4) {
          answer = std::to_string(*writer.note(convo, noted));
        } else if (choice == 3) {
          answer = std::to_string(*writer.discard_welcome(convo, owner, query.now));
        } else {
          answer = std::to_string(*writer.revoke(owner, only, query.now));
        }
        return {};
      }};
      const auto result = backends_[i]->stores().writer().commit({}, std::vector{job});
      EXPECT_EQ(result.jobs.at(0).status, CommitStatus::committed) << result.jobs[0].error.detail;
      if (i == 0) first = answer;
      EXPECT_EQ(answer, first) << names_[i];
    }
    if (choice == 0) {
      published_.push_back(package.ref);
      if (pick(3) == 0) hashes_.push_back(package.hash);
    }
  }

  // Messages of some past moment expire and key packages that are over go, everywhere alike. What
  // the fold knows of a conversation stays.
  void clean() {
    const Timestamp before(start.value + static_cast<std::int64_t>(pick(
                                             static_cast<std::uint64_t>(now_ - start.value) + 1)));
    std::string first;
    for (std::size_t i = 0; i < backends_.size(); ++i) {
      std::string answer;
      auto work = [&](Cleaner& cleaner) {
        std::uint64_t bodies = 0;
        int taken = 0;
        for (std::optional<RowHandle> next = 0; next && taken < steps_max; ++taken) {
          const auto step = *cleaner.expire_messages(before, *next);
          bodies += step.bodies;
          next = step.next;
        }
        EXPECT_LT(taken, steps_max) << "it goes on for ever";
        answer = std::to_string(bodies) + " bodies, " +
                 std::to_string(*cleaner.drop_key_packages(Timestamp(now_))) + " packages";
      };
      if (auto own = *backends_[i]->stores().open_cleaner()) {
        work(*own);
      } else {
        const UserJob job{[&work](UserWriter& writer) -> Result<void> {
          work(*writer.cleaner());
          return {};
        }};
        const auto result = backends_[i]->stores().writer().commit({}, std::vector{job});
        EXPECT_EQ(result.jobs.at(0).status, CommitStatus::committed);
      }
      if (i == 0) first = answer;
      EXPECT_EQ(answer, first) << names_[i];
    }
  }

  std::mt19937_64 random_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<std::unique_ptr<Reader>> readers_;
  std::vector<Script> scripts_;
  std::map<core::ConvoId, core::Conversation> convos_;
  std::vector<Bytes> published_;
  std::vector<Bytes> hashes_;  // of some of them, to revoke
  std::int64_t now_ = start.value;
  std::uint64_t names_made_ = 0;
  std::uint64_t total_rows_ = 0;
  std::uint64_t committed_ = 0;
  std::uint64_t refused_ = 0;
};

TEST(Differential, all_backends_answer_alike_and_load_the_fold_of_the_events) {
  std::uint64_t committed = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Life life(seed);
    for (int step = 0; step < steps; ++step) {
      life.step();
      life.compare_reads();
      if (testing::Test::HasFailure()) return;
    }
    life.compare_with_the_fold();
    life.reopen();
    life.compare_with_the_fold();
    committed += life.committed();
    refused += life.refused();
  }
  EXPECT_GT(committed, 200U) << "the walk must do something";
  EXPECT_GT(refused, 40U) << "and be refused something";
}

}  // namespace
}  // namespace catbird::storage
