// SPDX-License-Identifier: MIT
#pragma once

#include "sim/api.hpp"
#include "sim/model.hpp"

#include <array>
#include <string>

// Holds every answer a client gets against the model, and at the end what is stored. By the names
// of quality/reliability §2. Cannot be seen from here, and is tested elsewhere: O2 (JSON against
// MLS bytes: commands carry no bytes to contradict), A6 beyond the error code, A7, L6 across a
// restored backup, L7, K5, everything under "Authentication".
//
// A read is right if some version of its conversation explains it: one between the newest that any
// answer had to include when it was asked, and the newest now (O5, L6). While a second owner has
// written what the node in charge has not met yet, its memory may be that old (DECISIONS 7).

namespace catbird::sim {

inline constexpr std::size_t convos_max = 3;
bool outcome_is_open(Errc code);

/// One attempt, as it was sent.
struct Asked {
  Request::What what = Request::What::command;
  std::size_t user = 0;
  std::string device;
  std::size_t convo = 0;
  std::uint64_t since = 0;
  std::size_t limit = 0;
  std::vector<std::string> packages{};  // publish: their refs
  Op* op = nullptr;                     // command
  std::array<std::size_t, convos_max> floors{};
  std::array<std::size_t, convos_max> newest{};  // for what is read from the store itself
};

class Oracle {
 public:
  Oracle(Model& model, Book& book, bool clock_jumps)
      : model_(model), book_(book), clock_jumps_(clock_jumps) {}

  Asked asked(const Request& request, Op* op) const;
  /// What a gateway said about one copy of a command, heard or not (D4).
  static void served(Op& op, const Answer& answer);
  /// An answer that reached a client, perhaps not the first.
  void answered(const Asked& asked, const Answer& answer);

  /// After the last write, through a reader of the store (no faults any more).
  void finish(storage::Reader& reader, Timestamp now);

 private:
  template <class Predicate>
  bool some(const Asked& asked, Predicate explains) const {
    const auto& versions = model_.convo(asked.convo).versions;
    for (auto v = versions.size(); v > asked.floors[asked.convo]; --v) {
      if (explains(versions[v - 1])) return true;
    }
    return false;
  }

  void command_done(const Asked& asked, const Answer& answer);
  void command_refused(const Asked& asked, const Answer& answer);
  bool left_before(const Asked& asked, const Answer& answer) const;
  void mark_done(const Asked& asked, const Answer& answer);
  void page_done(const Asked& asked, const Answer& answer);
  void list_done(const Asked& asked, const Answer& answer);
  void list_view(const Asked& asked, const storage::ConvoView& view, std::size_t convo);
  void commits_done(const Asked& asked, const Answer& answer);
  void info_done(const Asked& asked, const Answer& answer);
  void welcome_done(const Asked& asked, const Answer& answer);
  void confirm_done(const Asked& asked, const Answer& answer);
  void read_refused(const Asked& asked, const Answer& answer);
  bool same_row(std::size_t convo, const storage::Row& row) const;

  void finish_convo(storage::Reader& reader, std::size_t convo);
  void finish_members(const core::Snapshot& stored, std::size_t convo);
  void finish_ops(storage::Reader& reader);
  void finish_bursts();
  void finish_packages(storage::Reader& reader, Timestamp now);
  void finish_users(storage::Reader& reader, Timestamp now);

  Model& model_;
  Book& book_;
  const bool clock_jumps_;
};

/// One connection of streamConvoEvents, from the client's side: exactly the rows after the cursor
/// that its user may read, in order (L2, L4, A2).
class StreamCheck {
 public:
  struct Event {
    std::uint64_t position = 0;
    std::size_t convo = 0;
    std::uint64_t seq = 0;
    std::uint64_t epoch = 0;
    std::string kind;
    std::string id;
    std::string text;
  };
  struct Scope {
    std::size_t user = 0;
    std::optional<std::size_t> only{};  // one conversation; else all of the user's
  };
  StreamCheck(Model& model, Scope scope, std::optional<std::uint64_t> cursor);

  /// The memberships were read.
  void opened();
  /// The stream has begun.
  void connected();
  void event(const Event& event);
  /// Nothing more will happen: is anything missing?
  bool complete() const { return !missing_before(model_.last_position() + 1); }
  /// A stream of one conversation said that its user is out of it.
  void removed();
  std::uint64_t last() const { return last_; }

 private:
  struct Start {
    bool active = false;
    std::uint64_t join = 0;
  };
  std::optional<std::uint64_t> missing_before(std::uint64_t position) const;
  bool due(const Model::Place& place) const;
  bool readable(std::size_t convo, std::uint64_t seq) const;

  Model& model_;
  const std::size_t user_;
  const std::optional<std::size_t> only_;
  std::uint64_t last_;      // position of the last event
  std::uint64_t due_from_;  // rows after it must come
  std::array<Start, convos_max> start_{};
};

}  // namespace catbird::sim
