// SPDX-License-Identifier: MIT
// Real threads over the real engine: two workers, a lane, readers, a hub with listeners, a memory
// store. ThreadSanitizer watches; the assertions are about order and loss, never about time.
#include "actors/actor_gateway.hpp"
#include "app/io_executor.hpp"
#include "app/threads.hpp"
#include "obs/metrics.hpp"
#include "realtime/hub.hpp"
#include "storage/memory/memory_store.hpp"
#include "support/rows.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace catbird {
namespace {

namespace asio = boost::asio;

constexpr std::size_t convos_count = 24;
constexpr std::size_t threads_count = 4;
constexpr std::size_t sends_per_thread = 600;
constexpr std::size_t window = 16;  // requests a thread has open at once

class SystemClock final : public Clock {
 public:
  Timestamp now() const override { return Timestamp(1'700'000'000'000); }
};

struct Worker {
  asio::io_context io{1};
  app::IoExecutor executor{io};
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(io);
  std::thread thread{[this] { io.run(); }};
};

core::Did user_of(std::size_t thread) { return core::Did("did:plc:t" + std::to_string(thread)); }

Bytes group_of(std::size_t convo) {
  return {static_cast<std::uint8_t>(convo), 1, 2, 3, 4, 5, 6, 7};
}

core::ConvoId convo_of(std::size_t convo) { return core::ConvoId(to_hex(group_of(convo))); }

class EngineTsan : public testing::Test {
 protected:
  EngineTsan() {
    readers_ = std::move(*app::ReaderPool::open(*stores_, 2));
    engine_.reset(new actors::Engine{.lane = lane_,
                                     .readers = *readers_,
                                     .clock = clock_,
                                     .metrics = actor_metrics_,
                                     .fence = stores_->writer().draw_fence()->value,
                                     .idle_timeout = std::chrono::seconds(0)});
    gateway_ = std::make_unique<actors::ActorGateway>(
        std::vector<actors::Executor*>{&workers_[0].executor, &workers_[1].executor}, *engine_);
  }

  ~EngineTsan() override {
    for (auto& worker : workers_) {
      worker.work.reset();
      worker.io.stop();
      worker.thread.join();
    }
    lane_thread_.stop();
    readers_->stop();
  }

  Result<core::Outcome> ask(const core::ConvoId& convo, core::Command command) {
    std::promise<Result<core::Outcome>> promise;
    gateway_->ask(convo, std::move(command), actors::Instant::max(),
                  [&promise](Result<core::Outcome> outcome) { promise.set_value(outcome); });
    return promise.get_future().get();
  }

  void create(std::size_t convo) {
    core::CreateConvo create;
    create.group_id = group_of(convo);
    create.suite = 1;
    for (std::size_t t = 0; t < threads_count; ++t) create.initial_members.push_back(user_of(t));
    core::Command command;
    command.caller.user = user_of(0);
    command.what = std::move(create);
    ASSERT_TRUE(ask(convo_of(convo), std::move(command)));
  }

  core::Command send(std::size_t thread, std::size_t number) {
    core::Command command;
    command.caller.user = user_of(thread);
    command.tag.fill(static_cast<std::uint8_t>(thread));
    command.what =
        core::SendMessage{.id = core::MsgId(std::to_string(thread) + "-" + std::to_string(number)),
                          .kind = core::Kind::app,
                          .group_id = group_of(number % convos_count),
                          .epoch = core::Epoch(0),
                          .bytes = make_blob(Bytes(64, 1))};
    return command;
  }

  void client(std::size_t thread) {
    std::vector<std::future<Result<core::Outcome>>> open;
    for (std::size_t number = 0; number < sends_per_thread; ++number) {
      auto promise = std::make_shared<std::promise<Result<core::Outcome>>>();
      open.push_back(promise->get_future());
      gateway_->ask(convo_of(number % convos_count), send(thread, number), actors::Instant::max(),
                    [promise](Result<core::Outcome> outcome) { promise->set_value(outcome); });
      if (number % 7 == 0) gateway_->sweep();
      if (open.size() < window) continue;
      for (auto& one : open) EXPECT_TRUE(one.get());
      open.clear();
    }
    for (auto& one : open) EXPECT_TRUE(one.get());
  }

  // Takes what the hub has until it was told to stop; everything must come in commit order.
  void listen(std::atomic<bool>& stop) {
    std::vector<core::ConvoId> convos;
    for (std::size_t i = 0; i < convos_count; ++i) convos.push_back(convo_of(i));
    auto subscription = hub_.subscribe(user_of(0), convos, std::nullopt);
    std::uint64_t last = 0;
    while (!stop) {
      auto woken = std::make_shared<std::promise<void>>();
      subscription->wait([woken] { woken->set_value(); });
      woken->get_future().wait_for(std::chrono::milliseconds(20));
      for (const auto& event : subscription->take().events) {
        const auto* row = std::get_if<realtime::LiveRow>(&event);
        if (row == nullptr) continue;
        EXPECT_GT(row->position, last);
        last = row->position;
      }
    }
  }

  SystemClock clock_;
  std::unique_ptr<obs::Metrics> metrics_ = obs::Metrics::create();
  storage::MemoryDisk disk_;
  std::unique_ptr<storage::Stores> stores_ = storage::open_memory(disk_);
  realtime::Hub hub_{{}, *metrics_};
  std::array<Worker, 2> workers_;
  app::BlockingThread lane_thread_;
  actors::CommitLane lane_{lane_thread_, stores_->writer(), hub_, *metrics_};
  actors::ActorMetrics actor_metrics_{*metrics_};
  std::unique_ptr<app::ReaderPool> readers_;
  std::unique_ptr<actors::Engine> engine_;
  std::unique_ptr<actors::ActorGateway> gateway_;
};

TEST_F(EngineTsan, many_threads_lose_and_double_nothing) {
  for (std::size_t convo = 0; convo < convos_count; ++convo) create(convo);

  std::atomic<bool> stop{false};
  std::thread listener([&] { listen(stop); });
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < threads_count; ++t) threads.emplace_back([this, t] { client(t); });
  for (auto& thread : threads) thread.join();
  stop = true;
  listener.join();

  auto reader = std::move(*stores_->open_reader());
  std::set<std::string> ids;
  for (std::size_t convo = 0; convo < convos_count; ++convo) {
    auto rows = test::rows_of(reader->page({.convo = convo_of(convo),
                                            .after = core::Seq(0),
                                            .until = core::Seq(1'000'000),
                                            .rows_max = 1'000'000,
                                            .bytes_max = std::size_t{1} << 30U}));
    ASSERT_TRUE(rows);
    for (std::size_t i = 0; i < rows->size(); ++i) {
      EXPECT_EQ((*rows)[i].seq.value, i + 1);
      ids.insert((*rows)[i].id.value);
    }
  }
  EXPECT_EQ(ids.size(), threads_count * sends_per_thread);
}

}  // namespace
}  // namespace catbird
