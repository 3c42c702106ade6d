// SPDX-License-Identifier: MIT
#include "race/scenarios.hpp"

#include <fmt/core.h>

#include <atomic>
#include <barrier>
#include <thread>

namespace catbird::race {

Clients make_clients(Run& run, const std::string& prefix, std::size_t count) {
  Clients clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(run, prefix + " " + std::to_string(i)));
  }
  return clients;
}

std::vector<std::string> dids_of(const Clients& clients, std::size_t from) {
  std::vector<std::string> dids;
  for (std::size_t i = from; i < clients.size(); ++i) dids.push_back(clients[i]->did());
  return dids;
}

std::string make_convo(Run& run, const Clients& clients, const std::string& name) {
  const auto convo = run.convo(name);
  auto& creator = *clients.front();
  const auto reply = creator.settle(creator.creation(convo, dids_of(clients, 1)));
  expect(reply.ok(), "createConvo was answered " + reply.text());
  return convo;
}

void all_at_once(const Clients& clients, const std::function<void(Client&, std::size_t)>& what) {
  std::barrier start(static_cast<std::ptrdiff_t>(clients.size()));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      what(*clients[i], i);
    });
  }
}

std::uint64_t commit_until_accepted(Client& client, const std::string& convo,
                                    const Change& change) {
  for (auto epoch = client.current_epoch(convo);;) {
    const auto reply = client.settle(client.commit(convo, epoch, change));
    if (reply.ok()) return reply.epoch;
    expect(reply.stale(), "a commit was answered " + reply.text());
    epoch = *reply.server_epoch;
  }
}

void one_commit_wins_each_epoch(Run& run) {
  constexpr std::size_t committers = 64;
  const auto rounds = run.scaled(200);
  const auto clients = make_clients(run, "committer", committers);
  const auto convo = make_convo(run, clients, "one winner");
  std::barrier together(static_cast<std::ptrdiff_t>(committers));
  std::atomic<std::size_t> won = 0;

  all_at_once(clients, [&](Client& client, std::size_t) {
    for (std::size_t epoch = 0; epoch < rounds; ++epoch) {
      const auto prepared = client.commit(convo, epoch);
      together.arrive_and_wait();
      const auto reply = client.settle(prepared);
      if (reply.ok()) {
        ++won;
        expect(reply.epoch == epoch + 1, "the winner was told another epoch");
      } else {
        expect(reply.stale() && *reply.server_epoch == epoch + 1,
               "a loser was answered " + reply.text());
      }
      together.arrive_and_wait();
      expect(won == epoch + 1, "not exactly one winner");
    }
  });

  expect(clients[0]->commits(convo, 1).rows.size() == rounds, "not one commit for each round");
}

void reads_never_go_back(Run& run) {
  constexpr std::size_t readers = 3;
  const auto commits = run.scaled(1000);
  const auto clients = make_clients(run, "reader", readers + 1);
  const auto convo = make_convo(run, clients, "read");
  std::atomic<bool> over = false;

  all_at_once(clients, [&](Client& client, std::size_t at) {
    if (at == 0) {
      for (std::size_t i = 0; i < commits; ++i) commit_until_accepted(client, convo, {});
      over = true;
      return;
    }
    std::uint64_t shown = 0;
    while (!over) {
      for (const auto epoch : {client.convos().convos.at(0).epoch, client.current_epoch(convo)}) {
        expect(epoch >= shown, fmt::format("epoch {} was shown after {}", epoch, shown));
        shown = epoch;
      }
    }
  });
}

namespace {

constexpr std::size_t touched_convos = 1000;
constexpr std::size_t touchers = 8;
constexpr const char* spawns = "actor_spawns_total";

}  // namespace

void first_touch_prepare(Run& run) {
  const auto clients = make_clients(run, "toucher", touchers);
  const auto convos = run.scaled(touched_convos);
  all_at_once(clients, [&](Client& client, std::size_t at) {
    auto others = dids_of(clients);
    std::erase(others, client.did());
    for (auto i = at; i < convos; i += touchers) {
      expect(client.settle(client.creation(run.convo(std::to_string(i)), others)).ok(),
             "createConvo was refused");
    }
  });
}

void first_touch_spawns_each_actor_once(Run& run) {
  const auto clients = make_clients(run, "toucher", touchers);
  const auto convos = run.scaled(touched_convos);
  std::barrier together(static_cast<std::ptrdiff_t>(touchers));
  const auto before = run.metric(spawns);

  all_at_once(clients, [&](Client& client, std::size_t at) {
    for (std::size_t i = 0; i < convos; ++i) {
      const auto convo = run.convo(std::to_string(i));
      // Two commits, of which one can win; messages, which then may come too late; and readers.
      const bool writes = (at + i) % 4 != 3;
      const auto prepared = (at + i) % 4 == 0 ? client.commit(convo, 0) : client.message(convo, 0);
      together.arrive_and_wait();
      const auto reply = writes ? client.settle(prepared) : client.epoch(convo);
      expect(reply.ok() || reply.stale(), "the first touch was answered " + reply.text());
    }
  });

  for (std::size_t i = 0; i < convos; ++i) clients[0]->all_rows(run.convo(std::to_string(i)));
  const auto spawned = run.metric(spawns) - before;
  const auto wanted = run.options.mode == "actors" ? static_cast<double>(convos) : 0;
  expect(spawned == wanted,
         fmt::format("{} actors were spawned for {} conversations", spawned, convos));
}

}  // namespace catbird::race
