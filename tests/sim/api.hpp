// SPDX-License-Identifier: MIT
#pragma once

#include "core/commands.hpp"
#include "storage/reader.hpp"
#include "storage/user_writer.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

// The interface of a simulated server.

namespace catbird::sim {

/// What a client asks, after the parsing that xrpc/ does.
struct Request {
  enum class What : std::uint8_t {
    command,
    page,        // getMessages: reads a page and moves the mark
    list,        // getConvos
    commits,     // getCommits
    group_info,  // getGroupInfo
    welcome,     // getWelcome
    confirm,     // confirmWelcome
    publish,     // publishKeyPackages
    reserve,     // getKeyPackages
  } what = What::command;
  core::Caller caller;
  std::size_t convo = 0;
  core::Command command{};
  std::uint64_t since = 0;  // page: seq; commits: first epoch
  std::size_t limit = 0;    // page: rows; commits: last epoch
  std::vector<storage::NewKeyPackage> packages{};
  core::Did target{};
  std::chrono::milliseconds patience{8'000};
};

/// All that an endpoint may answer. `now` is the server's clock, for the checks only.
struct Answer {
  std::optional<Error> error;
  core::Outcome outcome{};
  std::vector<storage::Row> rows;
  storage::ConvoPage convos;
  std::optional<storage::GroupInfoView> info;
  std::optional<storage::WelcomeView> welcome;
  std::vector<storage::ReservedKeyPackage> packages;
  Timestamp now;
};
using Done = std::move_only_function<void(Answer)>;

}  // namespace catbird::sim
