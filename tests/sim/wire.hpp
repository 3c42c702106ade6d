// SPDX-License-Identifier: MIT
#pragma once

#include "sim/oracle.hpp"
#include "sim/simulator.hpp"
#include "sim/swarm.hpp"
#include "sim/totals.hpp"

#include <functional>
#include <map>
#include <memory>

namespace catbird::sim {

class SimNode;

/// What clients share: the network, and whoever is behind it now.
struct Outside {
  Simulator& sim;
  Swarm& swarm;
  Model& model;
  Book& book;
  Oracle& oracle;
  const SimClock& clock;
  Totals& totals;
  Simulator::Lane& network;        // where delayed copies wait
  std::function<SimNode*()> node;  // null while the process is down
};

/// The calls of one client. A call goes on until its outcome is known: silence and open outcomes
/// are retried with the same bytes. Every answer is checked, also the late and the second one.
class Caller {
 public:
  using Heard = std::move_only_function<void(const Answer&)>;

  Caller(Outside& outside, Simulator::Lane& own) : outside_(outside), own_(own) {}

  /// `heard` gets the first definite answer, once.
  void call(Request request, Op* op, Heard heard);
  bool idle() const { return calls_.empty(); }
  std::string describe() const;

 private:
  struct Call {
    Request request;
    Op* op = nullptr;
    Heard heard;
    std::uint64_t attempt = 0;
    int last_error = -1;
  };

  void attempt(std::uint64_t number);
  void deliver(const Request& request, const Asked& asked, std::uint64_t number,
               std::uint64_t attempt);
  void answered(std::uint64_t number, std::uint64_t attempt, const Asked& asked,
                const Answer& answer);
  void again_after(std::chrono::milliseconds delay, std::uint64_t number, std::uint64_t attempt);
  bool strikes(Hazard hazard);

  Outside& outside_;
  Simulator::Lane& own_;
  std::map<std::uint64_t, Call> calls_;
  std::uint64_t next_ = 1;
};

}  // namespace catbird::sim
