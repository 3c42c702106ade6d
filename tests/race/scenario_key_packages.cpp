// SPDX-License-Identifier: MIT
#include "race/scenarios.hpp"
#include "support/mls_signer.hpp"
#include "support/mls_writer.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <thread>

namespace catbird::race {

namespace {

constexpr std::size_t claimers = 32;
constexpr std::size_t devices = 5;  // of an owner; a claim takes one key package of each
constexpr std::size_t publishers = 8;
constexpr std::size_t pool = 2 * claimers;  // of a device; half of it is held back (K5)
constexpr std::size_t owners_usual = 63;    // × devices × pool = 20,000 key packages
constexpr std::size_t owners_per_claim = 5;
constexpr std::uint16_t suite = 1;

std::string device_name(std::size_t device) { return "device" + std::to_string(device); }

/// hash -> KeyPackageRef, as the publishers know it.
using Refs = std::map<std::string, Bytes>;

Refs publish_for(Client& owner) {
  Refs refs;
  for (std::size_t device = 0; device < devices; ++device) {
    const auto identity = owner.did() + "#" + device_name(device);
    const testing::Signer signer(suite, identity);
    std::vector<Bytes> packages;
    for (std::size_t serial = 0; serial < pool; ++serial) {
      auto made = testing::make_key_package(signer, identity, {.serial = serial});
      refs[sha_of(made.message)] = made.ref;
      packages.push_back(std::move(made.message));
    }
    expect(owner.publish(device_name(device), packages).ok(), "key packages were refused");
  }
  return refs;
}

Refs publish_all(const Clients& owners) {
  std::vector<Refs> parts(publishers);
  std::vector<std::jthread> threads;
  for (std::size_t worker = 0; worker < publishers; ++worker) {
    threads.emplace_back([&, worker] {
      for (auto i = worker; i < owners.size(); i += publishers) {
        parts[worker].merge(publish_for(*owners[i]));
      }
    });
  }
  threads.clear();
  Refs refs;
  for (auto& part : parts) refs.merge(part);
  return refs;
}

std::vector<SeenPackage> claim_sorted(Client& client, const std::vector<std::string>& dids) {
  auto reply = client.claim(dids);
  expect(reply.ok(), "a claim was answered " + reply.text());
  std::ranges::sort(reply.packages);
  return reply.packages;
}

/// Adds one owner, whose devices find their Welcomes, read them as often as they like, and confirm.
void use_up(Run& run, Client& client, const std::vector<SeenPackage>& packages, const Refs& refs,
            Client& owner) {
  const auto convo = run.convo("of " + client.did());
  expect(client.settle(client.creation(convo, {})).ok(), "createConvo was refused");
  Change change{.adds = {owner.did()}};
  for (const auto& package : packages) {
    if (package.user != owner.did()) continue;
    change.welcomed.push_back(package);
    change.refs.push_back(refs.at(package.hash));
  }
  expect(client.settle(client.commit(convo, 0, change)).ok(), "a commit was refused");
  for (const auto& package : change.welcomed) {
    expect(owner.welcome(convo, package.device).ok(), "no Welcome");
    expect(owner.welcome(convo, package.device).ok(), "reading a Welcome used it up");
    if (package.device == device_name(0)) continue;  // This one never confirms.
    expect(owner.confirm(convo, package.device).ok(), "confirming was refused");
    expect(owner.welcome(convo, package.device).status == 404,
           "a confirmed Welcome is still there");
  }
  const auto rest = client.claim({owner.did()});
  expect(rest.packages.empty() && rest.missing.size() == 1, "a used key package was given again");
}

}  // namespace

void key_packages_are_handed_out_once(Run& run) {
  const auto owners = make_clients(run, "owner", run.scaled(owners_usual));
  const auto clients = make_clients(run, "claimer", claimers);
  const auto again = make_clients(run, "claimer", claimers);  // the same users, other connections
  const auto refs = publish_all(owners);
  std::vector<std::vector<SeenPackage>> got(claimers);

  all_at_once(clients, [&](Client& client, std::size_t at) {
    for (std::size_t i = 0; i < owners.size(); i += owners_per_claim) {
      std::vector<std::string> dids;
      for (auto k = i; k < std::min(owners.size(), i + owners_per_claim); ++k) {
        dids.push_back(owners[k]->did());
      }
      // Every other claim is made twice at the same time, as by a client that did not wait.
      std::vector<SeenPackage> second;
      std::jthread twin;
      if (i % 2 == 0) twin = std::jthread([&] { second = claim_sorted(*again[at], dids); });
      const auto first = claim_sorted(client, dids);
      if (twin.joinable()) twin.join();
      if (i % 2 == 1) second = claim_sorted(client, dids);
      expect(first.size() == dids.size() * devices, "not one key package of each device");
      expect(first == second, "the same claim again got other key packages");
      got[at].insert(got[at].end(), first.begin(), first.end());
    }
  });

  std::set<std::string> all;
  for (const auto& mine : got) {
    for (const auto& package : mine) {
      expect(all.insert(package.hash).second, "a key package was handed out twice");
    }
  }
  expect(all.size() * 2 == refs.size(), "not half of the key packages were handed out");
  Client late(run, "too late");
  const auto rest = late.claim({owners.front()->did(), owners.back()->did()});
  expect(rest.packages.empty() && !rest.missing.empty(), "a key package was made of nothing");

  all_at_once(clients, [&](Client& client, std::size_t at) {
    if (at < owners.size()) use_up(run, client, got[at], refs, *owners[at]);
  });
}

}  // namespace catbird::race
