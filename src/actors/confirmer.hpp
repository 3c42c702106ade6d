// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "actors/readers.hpp"
#include "storage/reader.hpp"

#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace catbird::actors {

/// Where other processes write the same store, an answer from memory is true only if the store
/// still says the same (DECISIONS 7). Asks it for many conversations at once: one read is under way
/// at a time, and whoever asks meanwhile goes into the next one, so every answer is of a state that
/// is not older than the question.
class Confirmer {
 public:
  /// Nothing: there is no such conversation.
  using Answer = std::move_only_function<void(Result<std::optional<storage::Standing>>)>;

  /// `readers` must outlive this; this must outlive the readers' last job.
  explicit Confirmer(Readers& readers) : readers_(readers) {}

  /// From any thread; the answer comes on `home`.
  void ask(const core::ConvoId& convo, Executor& home, Answer answer);

 private:
  struct Question {
    core::ConvoId convo;
    Executor* home;
    Answer answer;
  };
  void read_next();
  static void answer_all(std::vector<Question> questions,
                         Result<std::vector<storage::Standing>> found);

  Readers& readers_;
  std::mutex mutex_;
  std::vector<Question> waiting_;
  bool reading_ = false;
};

}  // namespace catbird::actors
