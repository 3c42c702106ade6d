// SPDX-License-Identifier: MIT
#include "actors/confirmer.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace catbird::actors {

void Confirmer::ask(const core::ConvoId& convo, Executor& home, Answer answer) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({convo, &home, std::move(answer)});
    if (std::exchange(reading_, true)) return;
  }
  read_next();
}

void Confirmer::read_next() {
  readers_.run([this](storage::Reader& reader) {
    std::vector<Question> questions;
    {
      const std::lock_guard lock(mutex_);
      questions = std::exchange(waiting_, {});
    }
    std::vector<core::ConvoId> convos;
    convos.reserve(questions.size());
    for (const auto& question : questions) convos.push_back(question.convo);
    std::ranges::sort(convos);
    const auto twice = std::ranges::unique(convos);
    convos.erase(twice.begin(), twice.end());
    answer_all(std::move(questions), reader.standings(convos));
    bool more = false;
    {
      const std::lock_guard lock(mutex_);
      more = !waiting_.empty();
      reading_ = more;
    }
    if (more) read_next();
  });
}

void Confirmer::answer_all(std::vector<Question> questions,
                           Result<std::vector<storage::Standing>> found) {
  std::unordered_map<std::string, const storage::Standing*> by_convo;
  if (found) {
    for (const auto& one : *found) by_convo.emplace(one.convo.value, &one);
  }
  for (auto& question : questions) {
    Result<std::optional<storage::Standing>> standing = std::nullopt;
    if (!found) {
      standing = std::unexpected(found.error());
    } else if (const auto it = by_convo.find(question.convo.value); it != by_convo.end()) {
      standing = *it->second;
    }
    question.home->post(
        [answer = std::move(question.answer), standing = std::move(standing)]() mutable {
          answer(std::move(standing));
        });
  }
}

}  // namespace catbird::actors
