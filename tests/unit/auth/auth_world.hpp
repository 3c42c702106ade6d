// SPDX-License-Identifier: MIT
#pragma once

#include "auth/service_auth.hpp"
#include "base/time.hpp"
#include "support/auth_signer.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

// A clock, a directory and callers that tests of auth/ can turn at will.

namespace catbird::auth {

inline constexpr std::int64_t start_seconds = 1'800'000'000;
inline const std::string alice = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
inline const std::string bob = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";
inline const std::string service = "did:web:mls.example.com";
inline const std::string method = "blue.catbird.mls.sendMessage";
inline const std::string secret = "0123456789abcdef0123456789abcdef";

class ManualClock final : public Clock {
 public:
  Timestamp now() const override { return Timestamp{ms_.load()}; }
  std::int64_t seconds() const { return ms_.load() / 1000; }
  void advance(std::int64_t seconds) { ms_ += seconds * 1000; }

 private:
  std::atomic<std::int64_t> ms_{start_seconds * 1000};
};

/// Answers at once, or holds the answers until `release`.
class Directory {
 public:
  DidFetch fetch() {
    return [this](std::string url, bool operator_url,
                  std::move_only_function<void(Result<DidFetchReply>)> done) {
      {
        const std::scoped_lock lock(mutex_);
        asked_.emplace_back(url, operator_url);
        if (holds_) {
          held_.emplace_back(std::move(url), std::move(done));
          return;
        }
      }
      done(answer(url));
    };
  }
  void serve(const std::string& did, std::string document) {
    replies_[plc_url(did)] = DidFetchReply{200, std::move(document)};
  }
  void serve_url(const std::string& url, DidFetchReply reply) { replies_[url] = std::move(reply); }
  void go_down(Errc code = Errc::storage_unavailable) { down_ = fail(code, "no answer"); }
  void come_back() { down_ = DidFetchReply{}; }
  void hold() { holds_ = true; }
  void release() {
    holds_ = false;
    while (!held_.empty()) {
      auto [url, done] = std::move(held_.front());
      held_.pop_front();
      done(answer(url));
    }
  }
  std::size_t asked_count() const { return asked_.size(); }
  const std::vector<std::pair<std::string, bool>>& asked() const { return asked_; }
  static std::string plc_url(const std::string& did) {
    return "https://plc.directory/did%3Aplc%3A" + did.substr(8);
  }

 private:
  Result<DidFetchReply> answer(const std::string& url) const {
    if (!down_) return down_;
    const auto found = replies_.find(url);
    return found == replies_.end() ? DidFetchReply{404, {}} : found->second;
  }
  using Held = std::pair<std::string, std::move_only_function<void(Result<DidFetchReply>)>>;
  std::mutex mutex_;
  std::map<std::string, DidFetchReply> replies_;
  Result<DidFetchReply> down_ = DidFetchReply{};
  bool holds_ = false;
  std::deque<Held> held_;
  std::vector<std::pair<std::string, bool>> asked_;
};

/// Claims as JSON members, so that a test can replace or remove any of them.
class Claims {
 public:
  explicit Claims(std::int64_t now, const std::string& iss = alice) {
    static std::atomic<int> serial{0};
    text("iss", iss).text("aud", service + "#atproto_mls").text("lxm", method);
    text("jti", "jti-" + std::to_string(++serial)).number("iat", now).number("exp", now + 60);
  }
  Claims& text(const std::string& name, const std::string& value) {
    return raw(name, "\"" + value + "\"");
  }
  Claims& number(const std::string& name, std::int64_t value) {
    return raw(name, std::to_string(value));
  }
  Claims& raw(const std::string& name, const std::string& json) {
    members_[name] = json;
    return *this;
  }
  Claims& without(const std::string& name) {
    members_.erase(name);
    return *this;
  }
  std::string json() const {
    std::string text;
    for (const auto& [name, value] : members_) {
      text += (text.empty() ? "{\"" : ",\"") + name + "\":" + value;
    }
    return text + "}";
  }

 private:
  std::map<std::string, std::string> members_;
};

struct World {
  ManualClock clock;
  Directory directory;
  std::unique_ptr<test::Signer> signer = test::Signer::es256k();
  AuthOptions options;
  std::unique_ptr<ServiceAuth> auth;

  World() {
    options.service_did = service;
    directory.serve(alice, test::did_document(alice, signer->multikey()));
  }
  /// Closes what is open first, as a restart does.
  void open() {
    auth.reset();
    auto opened = ServiceAuth::open(options, clock, directory.fetch());
    auth = std::move(opened.value());
  }
  Claims claims(const std::string& iss = alice) const { return Claims(clock.seconds(), iss); }
  std::string token(const Claims& claims) const { return token_of(*signer, claims); }
  static std::string token_of(const test::Signer& by, const Claims& claims) {
    return test::sign_token(by, R"({"alg":")" + by.alg() + R"(","typ":"JWT"})", claims.json());
  }
  /// The answer, or an `internal` error if there was none yet.
  Result<Identity> verify(const std::string& token) {
    if (!auth) open();
    // Shared: a held answer may come after this call.
    const auto answer = std::make_shared<Result<Identity>>(fail(Errc::internal, "no answer"));
    auth->verify("Bearer " + token, method,
                 [answer](Result<Identity> result) { *answer = std::move(result); });
    return *answer;
  }
  Result<Identity> verify(const Claims& claims) { return verify(token(claims)); }
  Result<Identity> verify_fresh() { return verify(claims()); }
};

/// "ok", or the code's number and the detail: what a failing expectation should show.
inline std::string told(const Result<Identity>& result) {
  if (result) return "ok";
  switch (result.error().code) {
    case Errc::unauthenticated:
      return "401 " + result.error().detail;
    case Errc::token_from_before:
      return "503 before: " + result.error().detail;
    case Errc::storage_unavailable:
      return "503 " + result.error().detail;
    case Errc::overloaded:
      return "503 busy: " + result.error().detail;
    default:
      return "unexpected: " + result.error().detail;
  }
}

}  // namespace catbird::auth
