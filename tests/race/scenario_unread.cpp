// SPDX-License-Identifier: MIT
#include "race/scenarios.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

namespace catbird::race {

namespace {

constexpr std::size_t users = 8;
constexpr std::size_t convos = 6;
constexpr std::size_t phases = 15;
constexpr std::size_t steps = 20;  // of each user in a phase

struct Sent {
  std::uint64_t seq;
  std::size_t user;
};
struct Place {
  std::string convo;
  std::mutex mutex;
  std::vector<Sent> sent;
  std::array<std::uint64_t, users> read{};  // the mark, from the join on
  std::array<bool, users> member{};

  std::uint64_t unread(std::size_t user) const {
    return static_cast<std::uint64_t>(std::ranges::count_if(
        sent, [&](const Sent& one) { return one.seq > read[user] && one.user != user; }));
  }
};

/// One random thing that one user does in one conversation.
void step(Client& client, std::size_t user, Place& place) {
  constexpr unsigned dice = 10;
  const auto what = client.random()() % dice;
  if (what < 6) {
    for (auto epoch = client.current_epoch(place.convo);;) {
      const auto reply = client.settle(client.message(place.convo, epoch));
      if (reply.stale()) {
        epoch = *reply.server_epoch;
        continue;
      }
      expect(reply.ok(), "a message was answered " + reply.text());
      const std::lock_guard lock(place.mutex);
      place.sent.push_back({reply.seq, user});
      return;
    }
  }
  if (what == 6) {
    commit_until_accepted(client, place.convo, {});
    return;
  }
  if (what == 7) {
    client.convos();
    return;
  }
  const std::uint64_t since = place.read[user];
  const auto rows = client.page(place.convo, since, 7).rows;
  if (rows.empty()) return;
  place.read[user] = rows.back().seq;              // Only this user's thread touches it.
  if (what == 9) client.mark(place.convo, since);  // Behind the mark: changes nothing.
}

/// The first user removes another, or takes it back. Nothing else runs.
void change_members(Client& admin, std::size_t user, const std::string& did, Place& place) {
  Change change;
  (place.member[user] ? change.removes : change.adds).push_back(did);
  const auto epoch = commit_until_accepted(admin, place.convo, change);
  place.member[user] = !place.member[user];
  if (!place.member[user]) return;
  const auto rows = admin.commits(place.convo, epoch).rows;
  expect(!rows.empty(), "the commit is not listed");
  place.read[user] = std::max(place.read[user], rows.front().seq);
}

void compare(Client& client, std::size_t user, const std::map<std::string, Place>& places) {
  const auto listed = client.convos().convos;
  std::size_t expected = 0;
  for (const auto& [id, place] : places) expected += place.member[user] ? 1 : 0;
  expect(listed.size() == expected, "not all conversations are listed");
  for (const auto& line : listed) {
    const auto wanted = places.at(line.id).unread(user);
    expect(line.unread == wanted,
           "unread is " + std::to_string(line.unread) + ", not " + std::to_string(wanted));
  }
}

}  // namespace

void unread_equals_its_definition_when_quiet(Run& run) {
  const auto clients = make_clients(run, "user", users);
  std::map<std::string, Place> places;
  std::vector<Place*> list;
  for (std::size_t i = 0; i < convos; ++i) {
    const auto convo = make_convo(run, clients, std::to_string(i));
    auto& place = places[convo];
    place.convo = convo;
    place.member.fill(true);
    list.push_back(&place);
  }
  for (std::size_t phase = 0; phase < run.scaled(phases); ++phase) {
    all_at_once(clients, [&](Client& client, std::size_t user) {
      for (std::size_t i = 0; i < steps; ++i) {
        auto& place = *list[client.random()() % convos];
        if (place.member[user]) {
          step(client, user, place);
        } else {
          client.page(place.convo, 0);  // Up to its removal; the checker knows how far that is.
        }
      }
    });
    all_at_once(clients, [&](Client& client, std::size_t user) { compare(client, user, places); });
    const auto user = 1 + phase % (users - 1);
    change_members(*clients[0], user, clients[user]->did(), *list[phase % convos]);
    compare(*clients[user], user, places);
  }
  // At the end everybody is in again, and sees one more message: what streams wait for.
  for (auto* place : list) {
    for (std::size_t user = 1; user < users; ++user) {
      if (!place->member[user]) change_members(*clients[0], user, clients[user]->did(), *place);
    }
    const auto last = clients[0]->message(place->convo, clients[0]->current_epoch(place->convo));
    expect(clients[0]->settle(last).ok(), "the last message was refused");
  }
}

}  // namespace catbird::race
