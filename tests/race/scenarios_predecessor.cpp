// SPDX-License-Identifier: MIT
#include "race/scenarios.hpp"

#include <algorithm>
#include <atomic>
#include <numeric>

namespace catbird::race {

namespace {

constexpr std::size_t rounds = 10;  // The predecessor had one; races need more.

std::vector<std::uint64_t> one_to(std::uint64_t last, std::uint64_t first = 1) {
  std::vector<std::uint64_t> numbers(last - first + 1);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> numbers) {
  std::ranges::sort(numbers);
  return numbers;
}

std::vector<std::uint64_t> epochs_of(const std::vector<SeenRow>& rows) {
  std::vector<std::uint64_t> epochs;
  for (const auto& row : rows) epochs.push_back(row.epoch);
  return epochs;
}

std::vector<SeenRow> of_kind(std::vector<SeenRow> rows, const std::string& kind) {
  std::erase_if(rows, [&](const SeenRow& row) { return row.kind != kind; });
  return rows;
}

void send_until_accepted(Client& client, const std::string& convo) {
  for (auto epoch = client.current_epoch(convo);;) {
    const auto reply = client.settle(client.message(convo, epoch));
    if (reply.ok()) return;
    expect(reply.stale(), "a message was answered " + reply.text());
    epoch = *reply.server_epoch;
  }
}

}  // namespace

void concurrent_add_members_no_duplicate_epochs(Run& run) {
  constexpr std::size_t adders = 10;
  for (std::size_t round = 0; round < run.scaled(rounds); ++round) {
    const auto name = std::to_string(round);
    const auto clients = make_clients(run, "adder " + name, adders);
    const auto convo = make_convo(run, clients, name);
    std::vector<std::uint64_t> epochs(adders);

    all_at_once(clients, [&](Client& client, std::size_t i) {
      const auto added = run.did("added " + name + "/" + std::to_string(i));
      epochs[i] = commit_until_accepted(client, convo, {.adds = {added}});
    });

    expect(sorted(epochs) == one_to(adders), "the epochs answered are not 1 to 10");
    expect(epochs_of(clients[0]->commits(convo, 1).rows) == one_to(adders),
           "the commits stored do not lead to 1 to 10");
    expect(clients[0]->current_epoch(convo) == adders, "the epoch at the end is not 10");
  }
}

void concurrent_send_and_read_unread_count_consistency(Run& run) {
  constexpr std::size_t messages = 50;
  constexpr std::size_t reads = 20;
  for (std::size_t round = 0; round < run.scaled(rounds); ++round) {
    const auto clients = make_clients(run, "talker " + std::to_string(round), 2);
    const auto convo = make_convo(run, clients, std::to_string(round));
    std::atomic<std::uint64_t> last_sent = 0;

    all_at_once(clients, [&](Client& client, std::size_t i) {
      if (i == 0) {
        for (std::size_t n = 0; n < messages; ++n) {
          const auto reply = client.settle(client.message(convo, 0));
          expect(reply.ok(), "a message was answered " + reply.text());
          last_sent = reply.seq;
        }
        return;
      }
      for (std::size_t n = 0; n < reads; ++n) {
        const std::uint64_t since = last_sent;
        if (n % 2 == 0) client.page(convo, since > 3 ? since - 3 : 0, 5);
        if (n % 2 == 1) client.mark(convo, since);
        const auto listed = client.convos();
        expect(listed.convos.size() == 1 && listed.convos[0].unread <= messages,
               "the unread count is beyond what was sent");
      }
    });

    auto& reader = *clients[1];
    expect(of_kind(reader.all_rows(convo), "app").size() == messages, "not 50 messages");
    expect(reader.convos().convos.at(0).unread == 0, "all is read, and something is unread");
    expect(clients[0]->convos().convos.at(0).unread == 0, "its own messages are unread");
  }
}

void message_sequence_numbers_sequential(Run& run) {
  constexpr std::size_t senders = 20;
  const auto clients = make_clients(run, "sender", senders);
  const auto convo = make_convo(run, clients, "numbers");
  for (std::size_t round = 0; round < run.scaled(rounds); ++round) {
    std::vector<std::uint64_t> seqs(senders);

    all_at_once(clients, [&](Client& client, std::size_t i) {
      seqs[i] = client.settle(client.message(convo, 0)).seq;
    });

    const auto first = round * senders + 1;
    expect(sorted(seqs) == one_to(first + senders - 1, first), "numbers with a gap or twice");
    std::vector<std::uint64_t> stored;
    for (const auto& row : clients[0]->all_rows(convo)) stored.push_back(row.seq);
    expect(stored == one_to(first + senders - 1), "the rows stored are not 1..N");
  }
}

void out_of_order_commits_prevented(Run& run) {
  constexpr std::size_t commits = 5;
  for (std::size_t round = 0; round < run.scaled(rounds); ++round) {
    const auto name = std::to_string(round);
    const auto clients = make_clients(run, "committer " + name, commits);
    const auto convo = make_convo(run, clients, name);
    std::vector<Prepared> prepared;
    for (std::size_t i = 0; i < commits; ++i) {
      const auto added = run.did("late " + name + "/" + std::to_string(i));
      prepared.push_back(clients[i]->commit(convo, i, {.adds = {added}}));
    }
    // Latest first: none but the one on the epoch that is may pass.
    for (std::size_t i = commits; --i > 0;) {
      const auto reply = clients[i]->settle(prepared[i]);
      expect(reply.stale() && *reply.server_epoch == 0, "a commit from the future passed");
    }

    all_at_once(clients, [&](Client& client, std::size_t i) {
      for (;;) {
        const auto reply = client.settle(prepared[i]);
        if (reply.ok()) {
          expect(reply.epoch == i + 1, "a commit led to another epoch than its own");
          return;
        }
        expect(reply.stale() && *reply.server_epoch < i, "answered " + reply.text());
      }
    });

    expect(epochs_of(clients[0]->all_rows(convo)) == one_to(commits),
           "the commits do not stand in the order of their epochs");
  }
}

void mixed_operations_no_race_conditions(Run& run) {
  constexpr std::size_t each = 5;
  for (std::size_t round = 0; round < run.scaled(rounds); ++round) {
    const auto name = std::to_string(round);
    const auto clients = make_clients(run, "mixed " + name, 2 * each);
    const auto convo = make_convo(run, clients, name);

    all_at_once(clients, [&](Client& client, std::size_t i) {
      if (i % 2 == 0) send_until_accepted(client, convo);
      if (i % 2 == 0) return;
      const auto added = run.did("other " + name + "/" + std::to_string(i));
      commit_until_accepted(client, convo, {.adds = {added}});
    });

    const auto rows = clients[0]->all_rows(convo);
    const auto epoch = clients[0]->current_epoch(convo);
    expect(epochs_of(of_kind(rows, "commit")) == one_to(each), "the commits do not lead to 1..5");
    expect(of_kind(rows, "app").size() == each, "not exactly 5 messages");
    for (const auto& row : rows) expect(row.epoch <= epoch, "a message of an epoch to come");
  }
}

}  // namespace catbird::race
