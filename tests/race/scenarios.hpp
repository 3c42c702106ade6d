// SPDX-License-Identifier: MIT
#pragma once

#include "race/client.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

// Each scenario races many clients against one server, asserts what must have become of it, and
// stops the program if it did not. The five of the predecessor have their old names; what could not
// pass there is corrected: a change of members is a commit for an epoch that the client has read,
// and who loses is told so, builds it anew and tries again.

namespace catbird::race {

using Clients = std::vector<std::unique_ptr<Client>>;

Clients make_clients(Run& run, const std::string& prefix, std::size_t count);
std::vector<std::string> dids_of(const Clients& clients, std::size_t from = 0);
/// Created by the first, with all others in it.
std::string make_convo(Run& run, const Clients& clients, const std::string& name);
/// Runs `what(client, index)` for all on threads of their own, released at once.
void all_at_once(const Clients& clients, const std::function<void(Client&, std::size_t)>& what);
/// The change is committed: on a refusal for a newer epoch, made anew for that. Gives the epoch it
/// led to.
std::uint64_t commit_until_accepted(Client& client, const std::string& convo, const Change& change);

// scenarios_predecessor.cpp
void concurrent_add_members_no_duplicate_epochs(Run& run);
void concurrent_send_and_read_unread_count_consistency(Run& run);
void message_sequence_numbers_sequential(Run& run);
void out_of_order_commits_prevented(Run& run);
void mixed_operations_no_race_conditions(Run& run);

// scenarios.cpp
/// 64 clients commit on one epoch, 200 times: exactly one wins, 63 are told 409.
void one_commit_wins_each_epoch(Run& run);
/// While one commits, others read by two ways in turn, the list and the epoch: for a reader, what
/// it was shown once never goes back (O5, L6).
void reads_never_go_back(Run& run);
/// 1,000 conversations, to be touched by the next scenario after a restart of the server.
void first_touch_prepare(Run& run);
void first_touch_spawns_each_actor_once(Run& run);

// scenario_key_packages.cpp
/// 32 claimers on 20,000 key packages: all are handed out, none twice, and asking again changes
/// nothing. Some are used up by commits whose Welcomes then wait for their devices.
void key_packages_are_handed_out_once(Run& run);

// scenario_unread.cpp
/// Phases of load; after each the count of every member equals its definition.
void unread_equals_its_definition_when_quiet(Run& run);

// scenario_load.cpp
/// A mixture of everything until `scale` requests were acknowledged, whatever happens to the
/// server; prints "acknowledged N" from time to time.
void load(Run& run);

}  // namespace catbird::race
