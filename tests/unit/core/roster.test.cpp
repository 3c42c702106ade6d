// SPDX-License-Identifier: MIT
#include "core/roster.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace catbird::core {
namespace {

Did user(unsigned number) {
  // Of different lengths, one a beginning of another, so that the order is worth a test.
  return Did("did:web:" + std::string(number % 3, 'x') + std::to_string(number));
}

std::vector<Member> members_of(const std::map<Did, Member>& model) {
  std::vector<Member> out;
  for (const auto& [did, member] : model) out.push_back(member);
  return out;
}

TEST(roster, does_what_a_sorted_map_of_members_does) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&random](unsigned below) {
      return std::uniform_int_distribution<unsigned>(0, below - 1)(random);
    };
    std::map<Did, Member> model;
    Roster roster;
    for (unsigned step = 0; step < 60; ++step) {
      const auto did = user(pick(20));
      auto* entry = roster.find(did);
      ASSERT_EQ(entry != nullptr, model.contains(did)) << "seed " << seed;
      if (entry == nullptr) {
        entry = &roster.insert(did);
        model[did].user = did;
      }
      auto& member = model[did];
      if (!member.active()) {
        ASSERT_EQ(*roster.left(*entry), *member.left);
        roster.come_back(*entry);
        member.left.reset();
      } else if (pick(3) == 0) {
        const Departure left{Seq(step), Epoch(pick(9)), Timestamp(pick(9))};
        roster.leave(*entry, left);
        member.left = left;
        member.admin = false;
        member.devices.clear();
        continue;
      }
      entry->admin = member.admin = pick(2) == 0;
      entry->read_seq = member.read_seq = Seq(step);
      const DeviceId device("d" + std::to_string(pick(3)));
      roster.add_device(*entry, device);
      auto& devices = member.devices;
      const auto at = std::ranges::lower_bound(devices, device);
      if (at == devices.end() || *at != device) devices.insert(at, device);
    }
    ASSERT_EQ(roster.all(), members_of(model)) << "seed " << seed;

    // What a store loads in order is equal to what grew in any order; a copy stands alone.
    Roster loaded;
    for (const auto& [did, member] : model) loaded.add(member);
    EXPECT_EQ(loaded, roster);
    auto copy = roster;
    copy.add_device(*copy.find(model.begin()->first), DeviceId("another"));
    EXPECT_EQ(loaded, roster);
    if (model.begin()->second.active()) {
      EXPECT_NE(copy, roster);
    }
  }
}

TEST(roster, tells_one_name_from_a_longer_one) {
  Roster roster;
  roster.insert(Did("did:plc:ab"));
  roster.insert(Did("did:plc:a"));
  EXPECT_EQ(roster.find(Did("did:plc:abc")), nullptr);
  EXPECT_EQ(roster.find(Did("")), nullptr);
  EXPECT_EQ(roster.at(0).user, Did("did:plc:a"));
  EXPECT_EQ(roster.at(1).user, Did("did:plc:ab"));
  EXPECT_EQ(roster.name(*roster.find(Did("did:plc:ab"))), "did:plc:ab");
}

TEST(roster, does_not_grow_with_comings_and_goings) {
  Roster roster;
  const Did user("did:plc:comesandgoes");
  roster.insert(user);
  for (unsigned i = 0; i < 10'000; ++i) {
    auto& entry = *roster.find(user);
    roster.add_device(entry, DeviceId("a device with a long name " + std::to_string(i)));
    roster.leave(entry, {Seq(i), Epoch(i), Timestamp(i)});
    roster.come_back(*roster.find(user));
  }
  EXPECT_LT(roster.bytes(), 2'000);
}

TEST(roster, stays_small) {
  Roster roster;
  roster.reserve(10, 10, 10 * (32 + 6));
  for (unsigned i = 0; i < 10; ++i) {
    const auto& entry =
        roster.insert(Did("did:plc:" + std::string(22, 'a') + std::to_string(10 + i)));
    roster.add_device(entry, DeviceId("device"));
  }
  EXPECT_LE(roster.bytes(), 10 * (sizeof(Roster::Entry) + 32 + 12 + 6));
}

}  // namespace
}  // namespace catbird::core
