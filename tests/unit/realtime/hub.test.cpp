// SPDX-License-Identifier: MIT
#include "realtime/hub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace catbird::realtime {
namespace {

const core::Did alice{"did:plc:alice"};
const core::Did bob{"did:plc:bob"};
const core::ConvoId one{"01"};
const core::ConvoId two{"02"};

LogEvent row(const core::ConvoId& convo, std::uint64_t seq, std::size_t size = 1) {
  return LiveRow{.convo = convo,
                 .position = seq,
                 .seq = core::Seq(seq),
                 .epoch = {},
                 .kind = core::Kind::app,
                 .id = {},
                 .at = {},
                 .bytes = make_blob(Bytes(size, 7))};
}
LogEvent joined(const core::Did& user, const core::ConvoId& convo, std::uint64_t seq = 0) {
  return RosterChange{convo, user, true, core::Seq(seq)};
}
LogEvent left(const core::Did& user, const core::ConvoId& convo, std::uint64_t seq = 0) {
  return RosterChange{convo, user, false, core::Seq(seq)};
}

/// "01/5" for a row, "+01" and "-01" for a roster change.
std::vector<std::string> told(Delivery delivery) {
  std::vector<std::string> out;
  for (const auto& event : delivery.events) {
    if (const auto* live = std::get_if<LiveRow>(&event)) {
      out.push_back(live->convo.value + "/" + std::to_string(live->seq.value));
    } else {
      const auto& change = std::get<RosterChange>(event);
      out.push_back((change.joined ? "+" : "-") + change.convo.value);
    }
  }
  if (delivery.overflowed) out.emplace_back("overflowed");
  if (delivery.resync) out.emplace_back("resync");
  return out;
}
using Told = std::vector<std::string>;

class HubTest : public testing::Test {
 protected:
  static constexpr HubLimits limits{
      .queue_events_max = 3, .queue_bytes_max = 2000, .subscriptions_per_user_max = 2};

  void publish(const LogEvent& event) { hub.publish({event}); }
  std::string page_line(const std::string& name) {
    const auto page = metrics->page();
    const auto at = page.find("\n" + name + " ");
    if (at == std::string::npos) return "absent";
    const auto from = at + name.size() + 2;
    return page.substr(from, page.find('\n', from) - from);
  }

  std::unique_ptr<obs::Metrics> metrics = obs::Metrics::create();
  Hub hub{limits, *metrics};
};

TEST_F(HubTest, delivers_the_rows_of_the_followed_conversations_in_commit_order) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);

  hub.publish({row(one, 1), row(two, 1), row(one, 2)});
  publish(row(one, 3));

  EXPECT_EQ(told(mine->take()), (Told{"01/1", "01/2", "01/3"}));
  EXPECT_EQ(told(mine->take()), Told{});
}

TEST_F(HubTest, gives_every_listener_its_own_queue) {
  const auto first = hub.subscribe(alice, {one}, std::nullopt);
  const auto second = hub.subscribe(bob, {one}, std::nullopt);

  publish(row(one, 1));

  EXPECT_EQ(told(first->take()), Told{"01/1"});
  EXPECT_EQ(told(second->take()), Told{"01/1"});
}

TEST_F(HubTest, tells_a_slow_listener_once_and_goes_on_after_it_looked) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  for (std::uint64_t seq = 1; seq <= 9; ++seq) publish(row(one, seq));

  EXPECT_EQ(told(mine->take()), Told{"overflowed"});
  publish(row(one, 10));
  EXPECT_EQ(told(mine->take()), Told{"01/10"});
  EXPECT_EQ(page_line("realtime_overflows_total"), "1");
}

TEST_F(HubTest, holds_exactly_as_many_events_as_the_limit) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);

  for (std::uint64_t seq = 1; seq <= 3; ++seq) publish(row(one, seq));

  EXPECT_EQ(told(mine->take()).size(), 3U);
}

TEST_F(HubTest, bounds_the_bytes_of_a_queue_too_but_takes_one_large_row) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);

  publish(row(one, 1, 5000));
  EXPECT_EQ(told(mine->take()), Told{"01/1"});
  publish(row(one, 2, 1000));
  publish(row(one, 3, 1000));

  EXPECT_EQ(told(mine->take()), Told{"overflowed"});
}

TEST_F(HubTest, counts_bytes_anew_after_each_look) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);

  for (std::uint64_t seq = 1; seq <= 5; ++seq) {
    publish(row(one, seq, 1500));
    EXPECT_EQ(told(mine->take()), Told{"01/" + std::to_string(seq)});
  }
}

TEST_F(HubTest, follows_a_conversation_its_user_joins_from_that_point_on) {
  const auto mine = hub.subscribe(alice, {}, std::nullopt);

  hub.publish({row(one, 1), joined(alice, one, 1), row(one, 2)});

  EXPECT_EQ(told(mine->take()), (Told{"+01", "01/2"}));
}

TEST_F(HubTest, lets_nothing_through_after_its_user_left) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);

  hub.publish({row(one, 1), left(alice, one, 1), row(one, 2)});
  publish(row(one, 3));

  EXPECT_EQ(told(mine->take()), (Told{"01/1", "-01"}));
}

TEST_F(HubTest, follows_again_when_its_user_is_readded) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);

  publish(left(alice, one, 0));
  hub.publish({joined(alice, one, 1), row(one, 2)});

  EXPECT_EQ(told(mine->take()), (Told{"-01", "+01", "01/2"}));
}

TEST_F(HubTest, keeps_the_roster_changes_of_others_from_a_listener) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);

  hub.publish({joined(bob, one), left(bob, one), row(one, 1)});

  EXPECT_EQ(told(mine->take()), Told{"01/1"});
}

TEST_F(HubTest, never_widens_a_listener_to_one_conversation) {
  const auto mine = hub.subscribe(alice, {one}, one);

  hub.publish({joined(alice, two), row(two, 1), row(one, 1)});
  EXPECT_EQ(told(mine->take()), Told{"01/1"});

  hub.publish({left(alice, one, 1), joined(alice, one, 1), row(one, 2)});
  EXPECT_EQ(told(mine->take()), Told{"-01"});
}

TEST_F(HubTest, follows_what_was_read_after_subscribing_without_doubling_it) {
  const auto mine = hub.subscribe(alice, {}, std::nullopt);
  publish(joined(alice, one));
  mine->take();

  hub.follow(*mine, {{one, core::Seq(0)}, {two, core::Seq(0)}});
  hub.publish({row(one, 1), row(two, 1)});

  EXPECT_EQ(told(mine->take()), (Told{"01/1", "02/1"}));
}

TEST_F(HubTest, wakes_a_waiting_listener_once) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  int woken = 0;
  mine->wait([&] { ++woken; });
  EXPECT_EQ(woken, 0);

  hub.publish({row(one, 1), row(one, 2)});
  publish(row(one, 3));

  EXPECT_EQ(woken, 1);
  EXPECT_EQ(told(mine->take()).size(), 3U);
}

TEST_F(HubTest, wakes_at_once_who_waits_while_there_is_something) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  publish(row(one, 1));
  int woken = 0;

  mine->wait([&] { ++woken; });
  publish(row(one, 2));

  EXPECT_EQ(woken, 1);
}

TEST_F(HubTest, wakes_again_for_each_wait) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  int woken = 0;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    mine->take();
    mine->wait([&] { ++woken; });
    publish(row(one, round));
  }

  EXPECT_EQ(woken, 3);
}

TEST_F(HubTest, does_not_wake_for_what_is_not_the_listeners) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  int woken = 0;
  mine->wait([&] { ++woken; });

  hub.publish({row(two, 1), joined(bob, one)});

  EXPECT_EQ(woken, 0);
}

TEST_F(HubTest, may_be_asked_from_inside_a_wake_up) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  Told seen;
  mine->wait([&] { seen = told(mine->take()); });

  publish(row(one, 1));

  EXPECT_EQ(seen, Told{"01/1"});
}

TEST_F(HubTest, tells_everyone_when_rows_may_be_missing) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  const auto other = hub.subscribe(bob, {}, std::nullopt);
  int woken = 0;
  mine->wait([&] { ++woken; });

  hub.resync();

  EXPECT_EQ(woken, 1);
  EXPECT_EQ(told(mine->take()), Told{"resync"});
  EXPECT_EQ(told(other->take()), Told{"resync"});
  EXPECT_EQ(told(mine->take()), Told{});
}

TEST_F(HubTest, keeps_queued_rows_beside_a_resync) {
  const auto mine = hub.subscribe(alice, {one}, std::nullopt);
  publish(row(one, 1));
  hub.resync();

  EXPECT_EQ(told(mine->take()), (Told{"01/1", "resync"}));
}

TEST_F(HubTest, forgets_a_listener_that_is_gone) {
  auto mine = hub.subscribe(alice, {one}, std::nullopt);
  const auto other = hub.subscribe(alice, {one}, std::nullopt);
  EXPECT_EQ(page_line("active_sse_connections"), "2");

  mine.reset();
  hub.publish({row(one, 1), left(alice, one)});
  hub.resync();

  EXPECT_EQ(hub.subscriptions(), 1U);
  EXPECT_EQ(page_line("active_sse_connections"), "1");
  EXPECT_EQ(told(other->take()), (Told{"01/1", "-01", "resync"}));
}

TEST_F(HubTest, never_calls_the_wake_up_of_a_listener_that_is_gone) {
  auto mine = hub.subscribe(alice, {one}, std::nullopt);
  const auto other = hub.subscribe(bob, {one}, std::nullopt);
  int woken = 0;
  mine->wait([&] { ++woken; });

  mine.reset();
  publish(row(one, 1));

  EXPECT_EQ(woken, 0);
}

TEST_F(HubTest, bounds_the_listeners_of_a_user) {
  auto first = hub.subscribe(alice, {}, std::nullopt);
  const auto second = hub.subscribe(alice, {}, one);

  EXPECT_EQ(hub.subscribe(alice, {one}, std::nullopt), nullptr);
  EXPECT_NE(hub.subscribe(bob, {}, std::nullopt), nullptr);
  first.reset();
  EXPECT_NE(hub.subscribe(alice, {}, std::nullopt), nullptr);
  EXPECT_EQ(hub.subscriptions(), 1U);
  EXPECT_EQ(page_line("active_sse_connections"), "1");
}

// Found by the simulator (seed 4349): a stream opened just after a member came back, before the
// word of its departure had left the lane, heard nothing ever again.
TEST_F(HubTest, the_end_of_an_earlier_membership_does_not_end_the_one_that_is_followed) {
  for (const auto& only : {std::optional(one), std::optional<core::ConvoId>()}) {
    const auto live = hub.subscribe(alice, {}, only);
    hub.follow(*live, {{one, core::Seq(58)}});

    publish(left(alice, one, 57));
    publish(row(one, 59));
    EXPECT_EQ(told(live->take()), (Told{"01/59"}));
    publish(left(alice, one, 60));
    publish(row(one, 61));

    EXPECT_EQ(told(live->take()), (Told{"-01"}));
  }
}

TEST_F(HubTest, ends_what_one_device_listens_to_and_no_more) {
  const auto phone = hub.subscribe(alice, {one}, std::nullopt, core::DeviceId("phone"));
  const auto unnamed = hub.subscribe(alice, {one}, std::nullopt);
  const auto others = hub.subscribe(bob, {one}, std::nullopt, core::DeviceId("phone"));
  bool woken = false;
  phone->wait([&] { woken = true; });

  hub.end_device(alice, core::DeviceId("phone"));

  EXPECT_TRUE(woken);
  EXPECT_EQ(phone->take().ended, "device-removed");
  for (const auto* other : {&unnamed, &others}) EXPECT_EQ((*other)->take().ended, "");
}

TEST_F(HubTest, tells_the_owner_of_few_key_packages_once) {
  const auto phone = hub.subscribe(alice, {one}, std::nullopt, core::DeviceId("phone"));
  const auto unnamed = hub.subscribe(alice, {one}, std::nullopt);
  const auto other = hub.subscribe(bob, {one}, std::nullopt, core::DeviceId("tablet"));
  EXPECT_TRUE(hub.is_listening({alice, core::DeviceId("tablet")}));
  EXPECT_FALSE(hub.is_listening({bob, core::DeviceId("phone")}));
  bool woken = false;
  unnamed->wait([&] { woken = true; });

  hub.tell_low_stock({alice, core::DeviceId("tablet")});
  hub.tell_low_stock({alice, core::DeviceId("tablet")});

  EXPECT_TRUE(woken);
  EXPECT_TRUE(unnamed->take().low_stock);
  EXPECT_FALSE(unnamed->take().low_stock);
  EXPECT_FALSE(phone->take().low_stock);
  EXPECT_FALSE(other->take().low_stock);
}

// Removed at another server of the same store.
TEST_F(HubTest, ends_a_device_that_the_store_knew_and_knows_no_more) {
  const auto phone = hub.subscribe(alice, {one}, std::nullopt, core::DeviceId("phone"));
  const auto guest = hub.subscribe(bob, {one}, std::nullopt, core::DeviceId("guest"));
  const auto unnamed = hub.subscribe(bob, {one}, std::nullopt);
  const core::Caller its_phone{alice, core::DeviceId("phone")};
  const core::Caller its_guest{bob, core::DeviceId("guest")};
  EXPECT_THAT(hub.devices(), ::testing::UnorderedElementsAre(its_phone, its_guest));

  hub.check_devices({{its_phone, true}, {its_guest, false}});
  const auto late = hub.subscribe(alice, {one}, std::nullopt, core::DeviceId("phone"));
  for (const auto* each : {&phone, &late}) EXPECT_EQ((*each)->take().ended, "");

  hub.check_devices({{its_phone, false}, {its_guest, false}});
  for (const auto* each : {&phone, &late}) EXPECT_EQ((*each)->take().ended, "device-removed");
  EXPECT_EQ(guest->take().ended, "");
  EXPECT_EQ(unnamed->take().ended, "");
}

}  // namespace
}  // namespace catbird::realtime
