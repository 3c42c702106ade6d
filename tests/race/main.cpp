// SPDX-License-Identifier: MIT
// catbird-race SCENARIO --port-file F --secret S --aud A --log F [--run NAME] [--mode
// actors|direct]
// [--scale N]: races many clients against a development server. Exit 0: what the scenario asserts
// holds; the log is for tests/checker/check_history.py. Without a scenario: lists them.
#include "race/scenarios.hpp"

#include <fmt/core.h>

#include <cstdlib>
#include <map>
#include <string>

int main(int argc, char** argv) {
  using namespace catbird::race;
  const std::map<std::string, void (*)(Run&)> scenarios = {
      {"test_concurrent_add_members_no_duplicate_epochs",
       concurrent_add_members_no_duplicate_epochs},
      {"test_concurrent_send_and_read_unread_count_consistency",
       concurrent_send_and_read_unread_count_consistency},
      {"test_message_sequence_numbers_sequential", message_sequence_numbers_sequential},
      {"test_out_of_order_commits_prevented", out_of_order_commits_prevented},
      {"test_mixed_operations_no_race_conditions", mixed_operations_no_race_conditions},
      {"one_commit_wins_each_epoch", one_commit_wins_each_epoch},
      {"reads_never_go_back", reads_never_go_back},
      {"first_touch_prepare", first_touch_prepare},
      {"first_touch_spawns_each_actor_once", first_touch_spawns_each_actor_once},
      {"key_packages_are_handed_out_once", key_packages_are_handed_out_once},
      {"unread_equals_its_definition_when_quiet", unread_equals_its_definition_when_quiet},
      {"load", load},
  };
  const auto found = argc > 1 ? scenarios.find(argv[1]) : scenarios.end();
  if (found == scenarios.end()) {
    for (const auto& [name, scenario] : scenarios) fmt::print("{}\n", name);
    return 2;
  }
  std::map<std::string, std::string> given = {{"--mode", "actors"}, {"--run", argv[1]}};
  for (int i = 2; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  Run run({.name = given["--run"],
           .port_file = given["--port-file"],
           .secret = given["--secret"],
           .aud = given["--aud"],
           .log = given["--log"],
           .mode = given["--mode"],
           .scale = std::strtoul(given["--scale"].c_str(), nullptr, 10)});
  found->second(run);
  return 0;
}
