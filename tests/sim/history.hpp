// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "core/types.hpp"
#include "storage/reader.hpp"

#include <map>
#include <string>
#include <vector>

namespace catbird::sim {

/// One acknowledged write as its client saw it, in virtual time.
struct Acknowledged {
  std::string convo;
  std::string id;  // msgId, or the commit's name
  core::Kind kind = core::Kind::app;
  core::Outcome outcome;
  actors::Instant invoked{};
  actors::Instant answered{};
};

/// From question to answer, in virtual time.
struct Span {
  actors::Instant invoked{};
  actors::Instant answered{};
};

/// What clients know. check() compares it with what is stored, by the invariants' names in
/// quality/reliability §2; it returns one line per violation.
class History {
 public:
  /// Also finds a retry that was answered otherwise than the first time (P1).
  void acknowledge(Acknowledged ack);
  /// A read that started at `invoked` showed N and E: it must include every earlier ack (O5) and
  /// whatever anyone was shown before it started (L6).
  void observed(const std::string& convo, core::Seq last, core::Epoch epoch, Span span);
  /// A refusal named the epoch the server is in: as binding as a read.
  void told_epoch(const std::string& convo, core::Epoch epoch, actors::Instant answered);
  void violate(std::string line) { violations_.push_back(std::move(line)); }
  std::size_t size() const { return acks_.size(); }
  const std::vector<std::string>& violations() const { return violations_; }

  void check(const std::string& convo, core::Epoch creation, const std::vector<storage::Row>& rows);

 private:
  void check_numbers(const std::string& convo, const std::vector<storage::Row>& rows);
  void check_epochs(const std::string& convo, core::Epoch creation,
                    const std::vector<storage::Row>& rows);
  void check_acks(const std::string& convo, const std::vector<storage::Row>& rows);
  void check_real_time(const std::string& convo);

  std::map<std::pair<std::string, std::string>, Acknowledged> acks_;
  struct Shown {
    core::Seq last;
    core::Epoch epoch;
    actors::Instant at{};
  };
  void show(const std::string& convo, Shown shown);

  /// Per conversation, each at least as far as the one before.
  std::map<std::string, std::vector<Shown>> shown_;
  std::vector<std::string> violations_;
};

}  // namespace catbird::sim
