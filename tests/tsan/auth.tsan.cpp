// SPDX-License-Identifier: MIT
// Service auth as the workers of a node use it: all at once, with DID documents that come on
// another thread, keys that are rotated meanwhile, and tokens that several threads try to use.
#include "app/threads.hpp"
#include "support/temp_dir.hpp"
#include "unit/auth/auth_world.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace catbird::auth {
namespace {

constexpr std::size_t threads_count = 4;
constexpr std::size_t users_count = 6;
constexpr std::size_t tokens_per_thread = 40;  // its own
constexpr std::size_t shared_tokens = 60;      // tried by every thread

std::string user(std::size_t number) {
  return "did:plc:" + std::string(23, 'a') + char('b' + number);
}

/// Serves one document per user from its own thread, as the fetcher's callback comes.
class LateDirectory {
 public:
  LateDirectory() {
    for (std::size_t i = 0; i < users_count; ++i) signers_.push_back(test::Signer::es256k());
  }
  DidFetch fetch() {
    return
        [this](std::string url, bool, std::move_only_function<void(Result<DidFetchReply>)> done) {
          ++asked;
          thread_.post([this, url = std::move(url), done = std::move(done)]() mutable {
            for (std::size_t i = 0; i < users_count; ++i) {
              if (url != Directory::plc_url(user(i))) continue;
              done(DidFetchReply{200, test::did_document(user(i), signers_[i]->multikey())});
              return;
            }
            done(DidFetchReply{404, {}});
          });
        };
  }
  const test::Signer& signer(std::size_t number) const { return *signers_[number]; }
  void stop() { thread_.stop(); }

  std::atomic<std::size_t> asked{0};

 private:
  std::vector<std::unique_ptr<test::Signer>> signers_;
  app::BlockingThread thread_;
};

class AuthTsan : public testing::Test {
 protected:
  AuthTsan() {
    options_.service_did = service;
    options_.journal_path = folder_.file("journal");
    options_.document_fresh = std::chrono::seconds(2);  // documents expire while we verify
    auth_ = std::move(*ServiceAuth::open(options_, clock_, directory_.fetch()));
  }
  ~AuthTsan() override {
    directory_.stop();
    auth_.reset();
  }

  std::string token(std::size_t of) {
    return World::token_of(directory_.signer(of % users_count),
                           Claims(clock_.seconds(), user(of % users_count)));
  }
  Result<Identity> verify(const std::string& token) {
    std::promise<Result<Identity>> answer;
    auth_->verify("Bearer " + token, method,
                  [&answer](Result<Identity> result) { answer.set_value(std::move(result)); });
    return answer.get_future().get();
  }

  test::TempDir folder_;
  ManualClock clock_;
  LateDirectory directory_;
  AuthOptions options_;
  std::unique_ptr<ServiceAuth> auth_;
};

TEST_F(AuthTsan, each_token_of_many_threads_is_taken_exactly_once) {
  std::vector<std::string> shared;
  for (std::size_t i = 0; i < shared_tokens; ++i) shared.push_back(token(i));
  std::array<std::vector<std::string>, threads_count> own;
  for (auto& tokens : own) {
    for (std::size_t i = 0; i < tokens_per_thread; ++i) tokens.push_back(token(i));
  }

  std::array<std::atomic<int>, shared_tokens> taken{};
  std::atomic<std::size_t> own_taken{0};
  std::atomic<std::size_t> strangers_refused{0};
  auto work = [&](std::size_t thread) {
    for (std::size_t i = 0; i < shared_tokens; ++i) {
      if (verify(shared[i])) ++taken[i];
      if (i < tokens_per_thread && verify(own[thread][i])) ++own_taken;
      if (i % 10 != 0) continue;
      clock_.advance(1);
      const auto forged = World::token_of(directory_.signer(0), Claims(clock_.seconds(), user(1)));
      if (!verify(forged)) ++strangers_refused;
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < threads_count; ++i) threads.emplace_back(work, i);
  }

  for (const auto& one : taken) EXPECT_EQ(one, 1);
  EXPECT_EQ(own_taken, threads_count * tokens_per_thread);
  EXPECT_EQ(strangers_refused, threads_count * (shared_tokens / 10));
  EXPECT_GE(directory_.asked, users_count);

  // The journal holds what was recorded from several threads.
  auth_.reset();
  auth_ = std::move(*ServiceAuth::open(options_, clock_, directory_.fetch()));
  for (const auto& one : shared) EXPECT_FALSE(verify(one).has_value());
}

}  // namespace
}  // namespace catbird::auth
