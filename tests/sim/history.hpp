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

/// What clients know. check() compares it with what is stored, by the invariants' names in
/// quality/reliability §2; it returns one line per violation.
class History {
 public:
  /// Also finds a retry that was answered otherwise than the first time (P1).
  void acknowledge(Acknowledged ack);
  /// A read that started at `invoked` showed N and E (O5: it must include every earlier ack).
  void observed(const std::string& convo, core::Seq last, core::Epoch epoch,
                actors::Instant invoked);
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
  std::map<std::string, core::Seq> seen_seq_;
  std::map<std::string, core::Epoch> seen_epoch_;
  std::vector<std::string> violations_;
};

}  // namespace catbird::sim
