// SPDX-License-Identifier: MIT
#include "xrpc/task.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace catbird::xrpc {
namespace {

using Done = Wait<int>::Done;

struct Noted {
  Noted(std::vector<std::string>& to, std::string what) : log(to), name(std::move(what)) {}
  ~Noted() { log.push_back("gone " + name); }
  Noted(const Noted&) = delete;
  Noted& operator=(const Noted&) = delete;
  std::vector<std::string>& log;
  std::string name;
};

Task<int> at_once(int value) {
  Wait<int> wait([value](Done done) { done(value); });
  const int got = co_await wait;
  co_return got + 1;
}

Task<int> later(Done* slot) {
  Wait<int> wait([slot](Done done) { *slot = std::move(done); });
  const int got = co_await wait;
  co_return got + 1;
}

Task<int> twice(Task<int> inner) {
  const int got = co_await inner;
  co_return got * 2;
}

Task<int> throwing(Done* slot) {
  if (slot != nullptr) {
    Wait<int> wait([slot](Done done) { *slot = std::move(done); });
    co_await wait;
  }
  throw std::runtime_error("broken");
  co_return 0;
}

Task<int> holding(std::vector<std::string>& log, Done* slot) {
  Noted note(log, "local");
  Wait<int> wait([slot](Done done) { *slot = std::move(done); });
  const int got = co_await wait;
  co_return got;
}

struct Outcome {
  std::vector<int> values;
  std::vector<std::string> failures;
};

void start(Task<int> task, Outcome& outcome) {
  run_detached<int>(
      std::move(task), [&outcome](int value) { outcome.values.push_back(value); },
      [&outcome](const std::exception& error) {
        outcome.failures.emplace_back(error.what());
        return -1;
      });
}

TEST(Task, is_lazy) {
  bool ran = false;
  auto make = [](bool* flag) -> Task<int> {
    *flag = true;
    co_return 1;
  };

  {
    auto task = make(&ran);
  }

  EXPECT_FALSE(ran);
}

TEST(Task, completes_when_the_answer_comes_inside_the_call) {
  Outcome outcome;

  start(at_once(1), outcome);

  EXPECT_EQ(outcome.values, std::vector<int>{2});
}

TEST(Task, completes_when_the_answer_comes_later) {
  Outcome outcome;
  Done done;
  start(later(&done), outcome);
  ASSERT_TRUE(outcome.values.empty());

  done(1);

  EXPECT_EQ(outcome.values, std::vector<int>{2});
}

TEST(Task, hands_values_up_through_tasks) {
  Outcome outcome;
  Done done;
  start(twice(twice(later(&done))), outcome);

  done(1);
  start(twice(at_once(2)), outcome);

  EXPECT_EQ(outcome.values, (std::vector<int>{8, 6}));
}

TEST(Task, survives_many_answers_inside_their_calls) {
  auto loop = []() -> Task<int> {
    int sum = 0;
    for (int i = 0; i < 100; ++i) {
      auto one = at_once(0);
      sum += co_await one;
    }
    co_return sum;
  };
  Outcome outcome;

  start(loop(), outcome);

  EXPECT_EQ(outcome.values, std::vector<int>{100});
}

TEST(RunDetached, answers_once_for_an_exception_before_and_after_a_wait) {
  Outcome outcome;
  Done done;

  start(throwing(nullptr), outcome);
  start(twice(throwing(&done)), outcome);
  done(0);

  EXPECT_EQ(outcome.failures, (std::vector<std::string>{"broken", "broken"}));
  EXPECT_EQ(outcome.values, (std::vector<int>{-1, -1}));
}

TEST(RunDetached, ends_the_tasks_locals_before_it_answers_and_its_frame_after) {
  std::vector<std::string> log;
  Done done;
  auto captured = std::make_shared<Noted>(log, "answer's captures");
  run_detached<int>(
      holding(log, &done),
      [&log, captured = std::move(captured)](int) { log.emplace_back("answered"); },
      [](const std::exception&) { return -1; });

  done(1);

  EXPECT_EQ(log, (std::vector<std::string>{"gone local", "answered", "gone answer's captures"}));
}

TEST(Wait, moves_what_it_is_given) {
  auto make = []() -> Task<int> {
    Wait<std::unique_ptr<int>> wait([](auto ready) { ready(std::make_unique<int>(7)); });
    auto got = co_await wait;
    co_return *got;
  };
  Outcome outcome;

  start(make(), outcome);

  EXPECT_EQ(outcome.values, std::vector<int>{7});
}

}  // namespace
}  // namespace catbird::xrpc
