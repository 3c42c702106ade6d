// SPDX-License-Identifier: MIT
#pragma once

#include "sim/wire.hpp"

#include <set>
#include <string>
#include <vector>

namespace catbird::sim {

/// One device of one user, with real clients' habits: one piece of work at a time, retried with the
/// same bytes until its outcome is known; a commit that lost is rebuilt for the epoch read then.
/// It knows only what it was told.
class Client {
 public:
  struct Identity {
    std::size_t number = 0;
    std::size_t user = 0;
    std::string device;
    std::size_t users_count = 0;
  };
  Client(Outside& outside, Simulator::Lane& own, Identity identity, std::size_t operations);

  void start();
  /// Phase two: reads everything, and sends one message wherever it may.
  void close();
  /// No new work; what is under way goes on.
  void stop() { left_ = 0; }
  bool done() const { return left_ == 0 && !busy_ && caller_.idle(); }
  std::string describe() const;
  std::size_t user() const { return identity_.user; }

 private:
  struct View {
    bool active = false;
    bool admin = false;
    std::uint64_t epoch = 0;
    std::set<std::size_t> members;
    std::uint64_t cursor = 0;  // last row read
    std::uint64_t last = 0;    // highest row heard of
  };
  using Packages = std::vector<storage::ReservedKeyPackage>;
  using Then = std::move_only_function<void()>;

  void next();
  void finish();
  Work choose() const;
  void begin(Work work, std::size_t convo);
  void create(std::size_t convo);

  // Commands (client_commands.cpp).
  Op& new_op(std::size_t convo, core::Command command);
  core::Command blank() const;
  core::CommitPart commit_part(const std::string& id, std::size_t convo) const;
  std::string new_name();
  void send(std::size_t convo, std::size_t burst);
  void change(Work work, std::size_t convo);
  void add(std::size_t convo);
  void submit(Op& op, Work work);
  void decided(Op& op, Work work, const Answer& answer);
  void learn(const Op& op, const Answer& answer);
  void once_more(Op& op);
  void poach(const Op& op);
  void misuse(const Op& op);
  std::optional<core::Command> build(Work work, std::size_t convo, const std::string& id);
  core::Command build_governance(Work work, std::size_t convo, const std::string& id);
  core::Command build_add(std::size_t convo, const std::string& id);
  std::size_t other_member(std::size_t convo) const;

  // Reads (client_reads.cpp).
  void ask(Request request, Caller::Heard heard);
  Request request(Request::What what, std::size_t convo) const;
  void read(Work work, std::size_t convo);
  void page(std::size_t convo, std::size_t pages_left, Then then);
  void list(Then then);
  void reserve(std::size_t target, std::move_only_function<void(const Packages&)> then);
  void publish();

  Outside& outside_;
  Simulator& sim_;
  Simulator::Lane& own_;
  const Identity identity_;
  Caller caller_;
  std::size_t left_;
  bool started_ = false;
  bool busy_ = false;
  std::size_t open_ = 0;      // of a burst
  std::size_t rebuilds_ = 0;  // of the work under way
  std::uint64_t named_ = 0;
  std::size_t target_ = 0;  // of an add
  Packages packages_;       // for it
  std::vector<View> views_;
};

}  // namespace catbird::sim
