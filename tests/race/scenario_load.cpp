// SPDX-License-Identifier: MIT
#include "race/scenarios.hpp"
#include "support/mls_signer.hpp"
#include "support/mls_writer.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>

namespace catbird::race {

namespace {

constexpr std::size_t users = 12;
constexpr std::size_t shared_convos = 4;
constexpr std::size_t requests_usual = 10'000;
constexpr std::size_t packages_each = 100;
constexpr std::size_t report_every = 100;
constexpr std::uint16_t suite = 1;

struct Load {
  Run& run;
  const Clients& clients;
  std::vector<std::string> convos;
  std::size_t wanted;
  std::atomic<std::size_t> acknowledged = 0;
  std::atomic<std::size_t> created = 0;
};

void count(Load& all) {
  const auto done = ++all.acknowledged;
  if (done % report_every != 0) return;
  fmt::print("acknowledged {}\n", done);
  std::fflush(stdout);
}

/// One user's part: what it believes of the conversations may be old, and is then corrected.
class Part {
 public:
  Part(Load& all, Client& client, std::size_t user)
      : all_(all), client_(client), user_(user), convos_(all.convos) {
    epochs_.resize(convos_.size());
    seen_.resize(convos_.size());
  }

  void run() {
    while (all_.acknowledged < all_.wanted) step();
  }

 private:
  void step() {
    constexpr unsigned percent = 100;
    const auto what = client_.random()() % percent;
    const auto at = client_.random()() % convos_.size();
    if (what < 55) return change(at, client_.message(convos_[at], epochs_[at]));
    if (what < 65) return change(at, client_.commit(convos_[at], epochs_[at]));
    if (what < 68) return add_someone(at);
    if (what < 82) return read_page(at);
    if (what < 88) return read_epoch(at);
    if (what < 92) return read_commits(at);
    if (what < 94) return all_done(client_.convos());
    if (what < 96) return all_done(client_.mark(convos_[at], seen_[at]));
    if (what < 99) return claim();
    create();
  }

  void all_done(const Reply& reply) {
    expect(reply.ok(), "a request was answered " + reply.text());
    count(all_);
  }

  void change(std::size_t at, const Prepared& prepared) {
    const auto reply = client_.settle(prepared);
    count(all_);
    expect(reply.ok() || reply.stale(), "a change was answered " + reply.text());
    epochs_[at] = reply.ok() ? reply.epoch : *reply.server_epoch;
  }

  void add_someone(std::size_t at) {
    const auto number = std::to_string(client_.random()());
    change(at, client_.commit(convos_[at], epochs_[at], {.adds = {all_.run.did(number)}}));
  }

  void read_page(std::size_t at) {
    const auto reply = client_.page(convos_[at], seen_[at], 40);
    all_done(reply);
    if (!reply.rows.empty()) seen_[at] = reply.rows.back().seq;
  }

  void read_epoch(std::size_t at) {
    const auto reply = client_.epoch(convos_[at]);
    all_done(reply);
    expect(reply.epoch >= epochs_[at], "an epoch went back");
    epochs_[at] = reply.epoch;
  }

  void read_commits(std::size_t at) {
    constexpr std::uint64_t back = 10;
    const auto from = epochs_[at] > back ? epochs_[at] - back : 1;
    all_done(client_.commits(convos_[at], from));
  }

  void claim() {
    const auto other = (user_ + 1 + client_.random()() % (users - 1)) % users;
    all_done(client_.claim({all_.clients[other]->did()}));
  }

  void create() {
    const auto convo = all_.run.convo("of its own " + std::to_string(++all_.created));
    all_done(client_.settle(client_.creation(convo, {})));
    convos_.push_back(convo);
    epochs_.push_back(0);
    seen_.push_back(0);
  }

  Load& all_;
  Client& client_;
  std::size_t user_;
  std::vector<std::string> convos_;
  std::vector<std::uint64_t> epochs_, seen_;
};

void publish(Client& client) {
  const testing::Signer signer(suite, client.did());
  std::vector<Bytes> packages;
  for (std::size_t serial = 0; serial < packages_each; ++serial) {
    packages.push_back(testing::make_key_package(signer, client.did(), {.serial = serial}).message);
  }
  expect(client.publish("", packages).ok(), "key packages were refused");
}

}  // namespace

void load(Run& run) {
  const auto clients = make_clients(run, "user", users);
  Load all{.run = run, .clients = clients, .convos = {}, .wanted = run.scaled(requests_usual)};
  for (std::size_t i = 0; i < shared_convos; ++i) {
    all.convos.push_back(make_convo(run, clients, "shared " + std::to_string(i)));
  }
  all_at_once(clients, [&](Client& client, std::size_t user) {
    publish(client);
    Part(all, client, user).run();
  });
  for (const auto& convo : all.convos) clients[0]->all_rows(convo);
}

}  // namespace catbird::race
