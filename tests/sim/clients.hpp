// SPDX-License-Identifier: MIT
#pragma once

#include "sim/history.hpp"
#include "sim/world.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace catbird::sim {

inline constexpr std::size_t users_count = 6;
inline constexpr std::size_t convos_count = 3;

core::Did user_did(std::size_t user);
core::ConvoId convo_name(std::size_t convo);
core::SenderTag tag_of(std::size_t user);
core::Command create_command(std::size_t convo);
/// What an Intruder writes: by turns a message and a commit, of the first user.
core::Command intruder_command(std::size_t convo, std::size_t number, core::Epoch epoch);

/// Real clients' habits: one operation at a time, retried with the same bytes until its outcome is
/// known; a commit that lost is rebuilt for the epoch read then; sometimes an answered request is
/// sent again, and someone tries another's msgId.
class Client {
 public:
  struct Setting {
    Simulator& sim;
    Simulator::Lane& own;
    History& history;
    std::function<actors::ActorGateway*()> gateway;  // null while the process is down
    bool watches = false;                            // only reads, and often
  };

  Client(Setting setting, std::size_t user, std::size_t operations);
  void start();
  bool done() const { return left_ == 0 && !busy_; }
  /// Where it stands, for a run that makes no progress.
  std::string describe() const;

 private:
  struct Operation {
    enum class What : std::uint8_t { send, commit, read, mark } what = What::send;
    std::size_t convo = 0;
    std::string id;
    core::Command command;
    actors::Instant invoked{};
    bool again = false;  // already answered once: every answer but the same one is wrong
    std::uint64_t attempt = 0;
  };

  void next();
  void issue();
  std::uint64_t new_attempt();
  void build();
  void read();
  void answered(std::uint64_t attempt, Result<core::Outcome> outcome);
  void read_done(std::uint64_t attempt, Result<core::Access> seen);
  void refused(const Error& error);
  void retry_later();
  void finish();
  void poach();
  void check_epoch(const core::Outcome& outcome);

  Setting setting_;
  const std::size_t user_;
  std::size_t left_;
  bool busy_ = false;
  std::uint64_t attempts_ = 0;
  std::uint64_t named_ = 0;
  int last_refusal_ = -1;
  Operation operation_;
  std::vector<core::Epoch> known_epoch_ = std::vector<core::Epoch>(convos_count, core::Epoch(0));
};

}  // namespace catbird::sim
