// SPDX-License-Identifier: MIT
#pragma once

#include "actors/write_set.hpp"
#include "core/conversation.hpp"
#include "storage/memory/memory_store.hpp"
#include "xrpc/router.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// Everything an endpoint uses, on one thread: a real lane, hub and memory store, executors that run
// when told to, and a gateway that answers what a test says.

namespace catbird::xrpc {

using Json = nlohmann::json;

inline const std::string alice = "did:web:alice.example";
inline const std::string bob = "did:web:bob.example";
inline const std::string carol = "did:web:carol.example";

/// Runs tasks when told to; time moves when told to.
class Loop final : public actors::Executor {
 public:
  void post(actors::Task task) override { tasks_.push_back(std::move(task)); }
  void post_after(std::chrono::milliseconds delay, actors::Task task) override {
    timers_.emplace(now_ + delay, std::move(task));
  }
  actors::Instant now() const override { return now_; }

  void run() {
    while (!tasks_.empty()) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  void advance(std::chrono::milliseconds by) {
    const auto end = now_ + by;
    run();
    while (!timers_.empty() && timers_.begin()->first <= end) {
      auto first = timers_.extract(timers_.begin());
      now_ = first.key();
      first.mapped()();
      run();
    }
    now_ = end;
  }
  std::size_t timers() const { return timers_.size(); }

 private:
  std::deque<actors::Task> tasks_;
  std::multimap<actors::Instant, actors::Task> timers_;
  actors::Instant now_{1'000'000'000};
};

/// Reads at once, or when released.
class ScriptedReaders final : public actors::Readers {
 public:
  explicit ScriptedReaders(storage::Stores& stores) : reader_(*stores.open_reader()) {}
  void run(actors::ReadJob job) override {
    ++jobs_run;
    if (held) {
      jobs_.push_back(std::move(job));
    } else {
      job(*reader_);
    }
  }
  /// Runs the jobs that wait now; what these ask for waits again while `held`.
  void release() {
    auto jobs = std::exchange(jobs_, {});
    for (auto& job : jobs) job(*reader_);
  }
  storage::Reader& reader() { return *reader_; }

  bool held = false;
  std::size_t jobs_run = 0;

 private:
  std::unique_ptr<storage::Reader> reader_;
  std::deque<actors::ReadJob> jobs_;
};

/// Keeps what it was asked and answers by script.
class FakeGateway final : public actors::Gateway {
 public:
  void ask(core::ConvoId convo, core::Command command, actors::Instant deadline,
           actors::Reply reply) override {
    deadlines.push_back(deadline);
    auto result = answer ? answer(command) : Result<core::Outcome>(core::Outcome{});
    commands.emplace_back(std::move(convo), std::move(command));
    reply(std::move(result));
  }
  void access(core::ConvoId convo, core::Did user, actors::Instant,
              actors::AccessReply reply) override {
    reply(seen ? seen(convo, user) : Result<core::Access>(fail(Errc::not_member)));
  }
  std::size_t active_actors() const override { return 7; }

  template <class What>
  const What& last() const {
    return std::get<What>(commands.back().second.what);
  }

  std::vector<std::pair<core::ConvoId, core::Command>> commands;
  std::vector<actors::Instant> deadlines;
  std::function<Result<core::Outcome>(const core::Command&)> answer;
  std::function<Result<core::Access>(const core::ConvoId&, const core::Did&)> seen;
};

/// Takes "Bearer <did>[#device]" for the caller.
class FakeAuth final : public auth::ServiceAuth {
 public:
  void verify(std::string authorization, std::string nsid,
              std::move_only_function<void(Result<auth::Identity>)> done) override {
    methods.push_back(std::move(nsid));
    if (!authorization.starts_with("Bearer ")) {
      done(fail(Errc::unauthenticated, "no token"));
      return;
    }
    const auto name = authorization.substr(7);
    const auto hash = name.find('#');
    done(auth::Identity{name.substr(0, hash),
                        hash == std::string::npos ? "" : name.substr(hash + 1)});
  }
  std::vector<std::string> methods;
};

class ManualClock final : public Clock {
 public:
  Timestamp now() const override { return time; }
  Timestamp time{1'700'000'001'234};
};

struct WorldOptions {
  RateLimits rates{.per_minute = {}};  // 0: unlimited
  std::uint32_t ip_per_minute = 0;
  realtime::HubLimits hub{};
};

class World {
 public:
  explicit World(WorldOptions options = {})
      : hub(options.hub, *metrics),
        limiter(options.rates),
        services{.gateway = gateway,
                 .lane = lane,
                 .readers = readers,
                 .timers = loop,
                 .workers = {&loop},
                 .hub = hub,
                 .auth = auth,
                 .clock = clock,
                 .tags = tags,
                 .seal = seal,
                 .limiter = limiter,
                 .metrics = *metrics,
                 .settings = {.service_did = "did:web:mls.example",
                              .public_endpoint = {},
                              .websocket_endpoint = {},
                              .incarnation = stores->incarnation(),
                              .metrics_token = {},
                              .ip_per_minute = options.ip_per_minute}},
        router(services, readiness) {}

  Loop loop;       // workers and timers
  Loop lane_loop;  // the lane's thread
  ManualClock clock;
  storage::MemoryDisk disk;
  std::unique_ptr<storage::Stores> stores = storage::open_memory(disk);
  std::unique_ptr<obs::Metrics> metrics = obs::Metrics::create();
  realtime::Hub hub;
  actors::CommitLane lane{lane_loop, stores->writer(), hub, *metrics};
  ScriptedReaders readers{*stores};
  FakeGateway gateway;
  FakeAuth auth;
  SenderTags tags{Bytes(32, 1)};
  TokenSeal seal{Bytes(32, 1)};
  RateLimiter limiter;
  Services services;
  Readiness readiness;
  Router router;

  void run() {
    lane_loop.run();
    loop.run();
  }

  // Requests.

  http::Response send(http::Request request) {
    std::optional<http::Response> response;
    request.body.reserve(request.body.size() + 64);  // as http::Request promises
    router.handle(std::move(request), [&](http::Response one) {
      EXPECT_FALSE(response.has_value()) << "answered twice";
      response = std::move(one);
    });
    for (int i = 0; i < 4 && !response; ++i) run();
    EXPECT_TRUE(response.has_value()) << "not answered";
    return response ? std::move(*response) : http::Response{.status = 0};
  }
  http::Response get(const std::string& method, const std::string& query,
                     const std::string& user = alice) {
    return send({.method = http::Method::get,
                 .path = "/xrpc/blue.catbird.mls." + method,
                 .query = query,
                 .authorization = "Bearer " + user,
                 .content_type = {},
                 .peer = "192.0.2.1",
                 .body = {}});
  }
  http::Response post(const std::string& method, const Json& body,
                      const std::string& user = alice) {
    return send({.method = http::Method::post,
                 .path = "/xrpc/blue.catbird.mls." + method,
                 .query = {},
                 .authorization = "Bearer " + user,
                 .content_type = "application/json",
                 .peer = "192.0.2.1",
                 .body = body.dump()});
  }

  // Conversations, written through the real rules, lane and hub.

  /// The outcome of the decision, whatever became of the write.
  core::Outcome write(const std::string& convo, core::Command command) {
    const core::ConvoId id(convo);
    auto loaded = readers.reader().load(id);
    core::Conversation head(loaded->state);
    command.tag = tags.of(id, command.caller.user);
    auto decision = head.decide(command, clock.now());
    EXPECT_TRUE(decision.has_value()) << static_cast<int>(decision.error().code);
    auto set = actors::make_write_set(id, head, actors::Footing::of(*loaded), core::Fence(1),
                                      std::move(decision->events));
    lane.submit({.set = std::move(set),
                 .activation = std::make_shared<actors::Activation>(),
                 .home = &loop,
                 .done = [](const storage::WriteResult&) {}});
    lane_loop.run();
    return decision->outcome;
  }
  void create(const std::string& convo, const std::vector<std::string>& members) {
    core::CreateConvo create;
    create.group_id = *from_hex(convo);
    create.suite = 1;
    for (const auto& member : members) create.initial_members.emplace_back(member);
    write(convo, command_of(members.front(), std::move(create)));
  }
  core::Outcome message(const std::string& convo, const std::string& id,
                        const std::string& user = alice) {
    core::SendMessage send;
    send.id = core::MsgId(id);
    send.group_id = *from_hex(convo);
    send.epoch = epoch_of(convo);
    send.bytes = make_blob({1, 2, 3});
    return write(convo, command_of(user, std::move(send)));
  }
  core::Outcome add(const std::string& convo, const std::string& user) {
    return write(convo, command_of(alice, core::AddMembers{{core::Did(user)}, commit_of(convo)}));
  }
  core::Outcome remove(const std::string& convo, const std::string& user) {
    return write(convo,
                 command_of(alice, core::RemoveMembers{{core::Did(user)}, commit_of(convo)}));
  }
  core::Outcome leave(const std::string& convo, const std::string& user) {
    return write(convo, command_of(user, core::LeaveConvo{core::Did(user), commit_of(convo)}));
  }
  core::Epoch epoch_of(const std::string& convo) {
    return readers.reader().load(core::ConvoId(convo))->state.epoch;
  }
  /// The gateway answers access() from the store.
  void answer_access_from_store() {
    gateway.seen = [this](const core::ConvoId& id, const core::Did& user) {
      return core::Conversation(readers.reader().load(id)->state).access(user);
    };
  }

  static core::Command command_of(const std::string& user, decltype(core::Command::what) what) {
    core::Command command;
    command.caller.user = core::Did(user);
    command.what = std::move(what);
    return command;
  }

 private:
  core::GroupParts commit_of(const std::string& convo) {
    core::GroupParts parts;
    const auto text = "commit " + std::to_string(commits_++) + " of " + convo;
    parts.commit = core::CommitPart{make_blob(Bytes(text.begin(), text.end())), *from_hex(convo),
                                    epoch_of(convo)};
    return parts;
  }

  int commits_ = 0;
};

inline Json json_of(const http::Response& response) {
  return Json::parse(response.body, nullptr, false);
}
inline std::string error_of(const http::Response& response) {
  return json_of(response).value("error", "");
}
inline std::string header_of(const http::Response& response, const std::string& name) {
  for (const auto& [known, value] : response.headers) {
    if (known == name) return value;
  }
  return {};
}

}  // namespace catbird::xrpc
