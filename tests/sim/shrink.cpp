// SPDX-License-Identifier: MIT
#include "sim/run.hpp"

#include <algorithm>

namespace catbird::sim {

namespace {

constexpr int attempts_max = 80;
constexpr std::size_t lines_max = 60;

// A smaller history that breaks another rule is another bug.
std::string rule_of(const RunResult& result) {
  const auto& text = result.violations.front().text;
  return text.substr(0, text.find(':'));
}

class Shrinker {
 public:
  explicit Shrinker(const RunOptions& failing) : best_{failing, run_seed(failing), 1} {
    // The workload ends where it failed.
    best_.options.limits.operations_max = best_.result.operations;
  }

  Shrunk shrink() {
    for (std::size_t i = 0; i < hazards_count; ++i) {
      auto options = best_.options;
      options.limits.without.set(i);
      attempt(options);
    }
    for (std::size_t size = best_.result.clients; size > 1; --size) {
      auto options = best_.options;
      options.limits.clients_max = size - 1;
      if (!attempt(options)) break;
    }
    for (auto step = best_.result.operations / 2; step >= 8; step /= 2) {
      auto options = best_.options;
      if (options.limits.operations_max <= step) continue;
      options.limits.operations_max -= step;
      attempt(options);
    }
    best_.options.record = true;
    best_.result = run_seed(best_.options);
    return std::move(best_);
  }

 private:
  bool attempt(const RunOptions& options) {
    if (best_.attempts >= attempts_max) return false;
    ++best_.attempts;
    auto result = run_seed(options);
    if (result.violations.empty() || rule_of(result) != rule_of(best_.result)) return false;
    best_.options = options;
    best_.result = std::move(result);
    return true;
  }

  Shrunk best_;
};

}  // namespace

Shrunk shrink(const RunOptions& failing) { return Shrinker(failing).shrink(); }

std::string report(const RunOptions& failing, const Shrunk& shrunk) {
  const auto first = run_seed(failing);
  std::string text = "seed " + std::to_string(failing.seed) + ": " + first.swarm + "\n";
  for (const auto& violation : first.violations) text += "  " + violation.text + "\n";
  const auto& result = shrunk.result;
  text += "shrunk in " + std::to_string(shrunk.attempts) + " attempts: " + result.swarm + "\n";
  auto convo = Trace::everywhere;
  for (const auto& violation : result.violations) {
    text += "  " + violation.text + "\n";
    if (convo == Trace::everywhere) convo = violation.convo;
  }
  std::vector<const Trace::Line*> lines;
  for (const auto& line : result.lines) {
    if (convo == Trace::everywhere || line.convo == convo || line.convo == Trace::everywhere) {
      lines.push_back(&line);
    }
  }
  const auto from = lines.size() > lines_max ? lines.size() - lines_max : 0;
  text += "the end of conversation " +
          (convo == Trace::everywhere ? std::string("*") : std::to_string(convo)) + ":\n";
  for (auto i = from; i < lines.size(); ++i) {
    text += "  " + std::to_string(lines[i]->at.count()) + " us  " + lines[i]->text + "\n";
  }
  return text;
}

}  // namespace catbird::sim
