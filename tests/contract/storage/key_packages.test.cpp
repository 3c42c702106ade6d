// SPDX-License-Identifier: MIT
// Key packages: available -> reserved -> consumed by a commit (DECISIONS 14; reliability K1-K4).
#include "contract/storage/fixture.hpp"
#include "core/limits.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const core::DeviceId phone{"phone"};
const core::DeviceId laptop{"laptop"};

class KeyPackages : public StorageContract {
 protected:
  NewKeyPackage package(const std::string& name) {
    return {id32("ref " + name), id32("hash " + name),           1, false,
            after(90 * day_ms),  Bytes(name.begin(), name.end())};
  }
  PublishResult publish(const NewKeyPackage& package, const core::DeviceId& device = phone) {
    return *run<PublishResult>(
        [&](UserWriter& users) { return users.publish({bob, device}, package, start); });
  }
  PublishResult publish(const std::string& name, const core::DeviceId& device = phone) {
    return publish(package(name), device);
  }
  void publish_last_resort(const std::string& name) {
    auto last = package(name);
    last.last_resort = true;
    ASSERT_EQ(publish(last), PublishResult::stored);
  }
  std::vector<std::string> reserve(const core::Did& caller, Timestamp now = start,
                                   std::optional<core::DeviceId> device = std::nullopt,
                                   std::uint16_t suite = 1) {
    const ReserveQuery query{caller, bob, device, suite, now};
    auto reserved = *run<std::vector<ReservedKeyPackage>>(
        [&](UserWriter& users) { return users.reserve(query); });
    std::vector<std::string> names;
    for (const auto& one : reserved) {
      names.emplace_back(text_of(one.bytes));
      EXPECT_EQ(one.user, bob);
      EXPECT_EQ(one.ref, id32("ref " + names.back()));
      EXPECT_EQ(one.hash, id32("hash " + names.back()));
    }
    return names;
  }
  WriteResult consume(Script& convo, const core::Did& user, const std::string& name,
                      Timestamp at = start) {
    const auto set = convo.commit("commit by " + user.value + std::to_string(convo.version.value),
                                  {core::KeyPackagesConsumed{user, {id32("ref " + name)}, at}});
    auto result = commit({set}).sets.at(0);
    if (result.status == CommitStatus::committed) convo.follow(set);
    return result;
  }
  KeyPackageFacts facts(const std::string& name, Timestamp now = start) {
    return reader().find_key_packages({id32("ref " + name)}, now)->at(0);
  }
  Script convo() {
    Script script("c1");
    write(script, script.create({carol}));
    return script;
  }
};
INSTANTIATE_TEST_SUITE_P(Backend, KeyPackages, testing::ValuesIn(all_backends()), case_name);

TEST_P(KeyPackages, the_same_package_is_stored_once) {
  EXPECT_EQ(publish("a"), PublishResult::stored);
  EXPECT_EQ(publish("a"), PublishResult::duplicate);
}

TEST_P(KeyPackages, a_consumed_package_is_never_stored_again) {
  auto script = convo();
  publish("a");
  reserve(alice);
  ASSERT_EQ(consume(script, alice, "a").status, CommitStatus::committed);

  EXPECT_EQ(publish("a"), PublishResult::duplicate);
  EXPECT_THAT(reserve(carol), IsEmpty());
}

TEST_P(KeyPackages, a_devices_pool_has_a_limit_that_other_devices_and_suites_do_not_share) {
  for (std::size_t i = 0; i < core::key_packages_per_device_max; ++i) {
    ASSERT_EQ(publish("p" + std::to_string(i)), PublishResult::stored);
  }
  auto other_suite = package("s");
  other_suite.suite = 2;

  EXPECT_EQ(publish("one more"), PublishResult::pool_full);
  EXPECT_EQ(publish("one more", laptop), PublishResult::stored);
  EXPECT_EQ(publish(other_suite), PublishResult::stored);
}

TEST_P(KeyPackages, a_package_is_reserved_to_one_caller_oldest_first) {
  publish("a");
  publish("b");

  EXPECT_THAT(reserve(alice), ElementsAre("a"));
  EXPECT_THAT(reserve(carol), ElementsAre("b"));
  EXPECT_THAT(reserve(core::Did("did:plc:dave")), IsEmpty());
}

TEST_P(KeyPackages, the_same_caller_asking_again_gets_the_same_one) {
  publish("a");
  publish("b");

  EXPECT_THAT(reserve(alice), ElementsAre("a"));
  EXPECT_THAT(reserve(alice, after(minute_ms)), ElementsAre("a"));
}

TEST_P(KeyPackages, half_of_a_large_pool_is_held_back_and_the_last_resort_remains) {
  publish_last_resort("last");
  const auto pool = core::drained_pool_min;
  for (std::size_t i = 0; i < pool; ++i) publish("p" + std::to_string(i));
  const auto stranger = [](std::size_t i) { return core::Did("did:plc:s" + std::to_string(i)); };
  for (std::size_t i = 0; i < pool / 2; ++i) {
    EXPECT_THAT(reserve(stranger(i)), ElementsAre("p" + std::to_string(i)));
  }
  EXPECT_THAT(reserve(stranger(pool)), ElementsAre("last"));
  EXPECT_THAT(reserve(stranger(0)), ElementsAre("p0")) << "what one has one keeps";
  // The reservations are over, nothing was used.
  EXPECT_THAT(reserve(stranger(pool), after(6 * minute_ms)), ElementsAre("p0"));
}

TEST_P(KeyPackages, what_was_used_up_a_short_while_ago_counts_as_taken) {
  auto script = convo();
  const auto pool = core::drained_pool_min;
  for (std::size_t i = 0; i < pool; ++i) publish("p" + std::to_string(i));
  std::vector<PackageTaken> taken;
  const auto next = [&](const core::Did& caller) {
    return *run<std::vector<ReservedKeyPackage>>([&](UserWriter& users) {
      return users.reserve({caller, bob, std::nullopt, 1, start, taken});
    });
  };
  for (std::size_t i = 0; i < pool / 2; ++i) {
    const auto reserved = next(alice);
    ASSERT_EQ(reserved.size(), 1U);
    taken.push_back({reserved[0].id, reserved[0].device});
    ASSERT_EQ(consume(script, alice, "p" + std::to_string(i)).status, CommitStatus::committed);
  }
  EXPECT_THAT(next(alice), IsEmpty());
  taken.pop_back();
  EXPECT_EQ(next(alice).size(), 1U) << "an hour later";
}

TEST_P(KeyPackages, one_of_every_device_or_of_the_device_asked_for) {
  publish("on the phone", phone);
  publish("on the laptop", laptop);

  EXPECT_THAT(reserve(alice), ElementsAre("on the laptop", "on the phone"));
  EXPECT_THAT(reserve(carol, start, phone), IsEmpty());
  EXPECT_THAT(reserve(alice, start, phone), ElementsAre("on the phone"));
}

TEST_P(KeyPackages, another_suite_is_never_given) {
  publish("a");

  EXPECT_THAT(reserve(alice, start, std::nullopt, 2), IsEmpty());
}

TEST_P(KeyPackages, a_reservation_ends_after_five_minutes) {
  publish("a");
  reserve(alice);

  EXPECT_THAT(reserve(carol, after(core::reservation_ms - 1)), IsEmpty());
  EXPECT_THAT(reserve(carol, after(core::reservation_ms)), ElementsAre("a"));
  EXPECT_THAT(reserve(alice, after(core::reservation_ms)), IsEmpty());
}

TEST_P(KeyPackages, an_expired_package_is_never_given) {
  auto short_lived = package("a");
  short_lived.not_after = after(minute_ms);
  publish(short_lived);

  EXPECT_THAT(reserve(alice, after(minute_ms)), IsEmpty());
  EXPECT_THAT(reserve(alice, after(minute_ms - 1)), ElementsAre("a"));
}

TEST_P(KeyPackages, a_reservation_does_not_outlive_its_package) {
  auto script = convo();
  auto short_lived = package("a");
  short_lived.not_after = after(minute_ms);
  publish(short_lived);
  reserve(alice);

  const auto result = consume(script, alice, "a", after(minute_ms));

  EXPECT_EQ(result.error.code, Errc::key_package_not_found);
}

TEST_P(KeyPackages, the_last_resort_is_given_only_when_nothing_else_is_left_and_stays) {
  publish_last_resort("last");
  publish("a");

  EXPECT_THAT(reserve(alice), ElementsAre("a"));
  EXPECT_THAT(reserve(carol), ElementsAre("last"));
  EXPECT_THAT(reserve(core::Did("did:plc:dave")), ElementsAre("last"));
  EXPECT_FALSE(facts("last").reserved_by);
}

TEST_P(KeyPackages, a_last_resort_package_is_used_again_and_again) {
  auto script = convo();
  publish_last_resort("last");

  EXPECT_EQ(consume(script, alice, "last").status, CommitStatus::committed);
  EXPECT_EQ(consume(script, carol, "last").status, CommitStatus::committed);
  EXPECT_FALSE(facts("last").consumed);
  EXPECT_THAT(reserve(alice), ElementsAre("last"));
}

TEST_P(KeyPackages, a_commit_consumes_what_was_reserved_to_its_sender) {
  auto script = convo();
  publish("a");
  reserve(alice);
  EXPECT_EQ(facts("a").reserved_by, alice);

  const auto result = consume(script, alice, "a");

  EXPECT_EQ(result.status, CommitStatus::committed);
  EXPECT_TRUE(facts("a").consumed);
  EXPECT_FALSE(facts("a").reserved_by);
  EXPECT_THAT(reserve(alice), IsEmpty());
}

TEST_P(KeyPackages, a_commit_with_a_package_that_is_not_its_senders_changes_nothing) {
  auto script = convo();
  publish("free");
  publish("reserved");
  ASSERT_THAT(reserve(alice), ElementsAre("free"));
  ASSERT_THAT(reserve(carol), ElementsAre("reserved"));

  for (const auto* name : {"reserved", "unknown"}) {
    const auto result = consume(script, alice, name);
    EXPECT_EQ(result.status, CommitStatus::rejected);
    EXPECT_EQ(result.error.code, Errc::key_package_not_found);
  }
  const auto lapsed = consume(script, alice, "free", after(core::reservation_ms));

  EXPECT_EQ(lapsed.error.code, Errc::key_package_not_found);
  EXPECT_THAT(rows(script), IsEmpty());
  EXPECT_FALSE(facts("reserved").consumed);
}

TEST_P(KeyPackages, a_package_that_nobody_reserved_cannot_be_consumed) {
  auto script = convo();
  publish("a");

  EXPECT_EQ(consume(script, alice, "a").error.code, Errc::key_package_not_found);
}

TEST_P(KeyPackages, two_commits_of_one_batch_cannot_consume_the_same_package) {
  auto one = convo();
  Script two("c2");
  write(two, two.create());
  publish("a");
  reserve(alice);
  const core::KeyPackagesConsumed uses{alice, {id32("ref a")}, start};

  const auto result = commit({one.commit("k1", {uses}), two.commit("k2", {uses})});

  EXPECT_EQ(result.sets[0].status, CommitStatus::committed);
  EXPECT_EQ(result.sets[1].error.code, Errc::key_package_not_found);
}

TEST_P(KeyPackages, a_refused_commit_leaves_the_packages_it_named_reserved) {
  auto script = convo();
  publish("a");
  publish("b");
  reserve(alice);
  const auto set = script.commit(
      "k1", {core::KeyPackagesConsumed{alice, {id32("ref a"), id32("ref b")}, start}});

  const auto result = commit({set});

  EXPECT_EQ(result.sets[0].error.code, Errc::key_package_not_found);
  EXPECT_FALSE(facts("a").consumed);
  EXPECT_EQ(facts("a").reserved_by, alice);
  EXPECT_EQ(consume(script, alice, "a").status, CommitStatus::committed);
}

TEST_P(KeyPackages, are_found_by_ref_and_by_hash_and_unknown_ones_are_left_out) {
  publish("a");
  publish("b", laptop);

  const auto found =
      *reader().find_key_packages({id32("hash b"), id32("nothing"), id32("ref a")}, start);

  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].ref, id32("ref b"));
  EXPECT_EQ(found[0].device, laptop);
  EXPECT_EQ(found[1].hash, id32("hash a"));
  EXPECT_EQ(found[1].user, bob);
  EXPECT_FALSE(found[1].consumed);
}

TEST_P(KeyPackages, facts_show_only_a_live_reservation) {
  publish("a");
  reserve(alice);

  EXPECT_EQ(facts("a", after(core::reservation_ms - 1)).reserved_by, alice);
  EXPECT_FALSE(facts("a", after(core::reservation_ms)).reserved_by);
}

TEST_P(KeyPackages, stats_count_by_suite_and_state) {
  auto script = convo();
  auto other_suite = package("other");
  other_suite.suite = 2;
  other_suite.not_after = after(2 * day_ms);
  auto gone = package("gone");
  gone.not_after = after(1);
  for (const auto* name : {"a", "b", "c"}) publish(name);
  publish(other_suite);
  publish(gone);
  reserve(alice);
  consume(script, alice, "a");
  reserve(carol, after(minute_ms));

  const auto stats = *reader().key_package_stats(bob, after(2 * minute_ms));

  ASSERT_EQ(stats.size(), 2U);
  EXPECT_EQ(stats[0].suite, 1);
  EXPECT_EQ(stats[0].total, 4U);
  EXPECT_EQ(stats[0].available, 1U);
  EXPECT_EQ(stats[0].reserved, 1U);
  EXPECT_EQ(stats[0].consumed, 1U);
  EXPECT_EQ(stats[0].consumed_24h, 1U);
  EXPECT_EQ(stats[0].oldest_expiry, after(90 * day_ms));
  EXPECT_EQ(stats[1].suite, 2);
  EXPECT_EQ(stats[1].oldest_expiry, after(2 * day_ms));
  const auto later = *reader().key_package_stats(bob, after(2 * day_ms));
  EXPECT_EQ(later[0].available, 2U);
  EXPECT_EQ(later[0].consumed_24h, 0U);
  EXPECT_EQ(later[0].consumed_7d, 1U);
  EXPECT_EQ(later[1].available, 0U);
  EXPECT_FALSE(later[1].oldest_expiry);
  EXPECT_THAT(*reader().key_package_stats(carol, start), IsEmpty());
}

}  // namespace
}  // namespace catbird::storage
