// SPDX-License-Identifier: MIT
#include "app/threads.hpp"

#include "storage/memory/memory_store.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

namespace catbird::app {
namespace {

TEST(BlockingThread, runs_tasks_in_order_on_one_other_thread) {
  std::vector<int> order;
  std::vector<std::thread::id> threads;
  BlockingThread thread;
  for (int i = 0; i < 100; ++i) {
    thread.post([&, i] {
      order.push_back(i);
      threads.push_back(std::this_thread::get_id());
    });
  }

  thread.stop();

  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  for (const auto& id : threads) EXPECT_EQ(id, threads.front());
  EXPECT_NE(threads.front(), std::this_thread::get_id());
}

TEST(BlockingThread, runs_what_is_queued_before_it_stops) {
  std::latch started(1);
  std::promise<void> go;
  std::atomic<int> ran{0};
  BlockingThread thread;
  thread.post([&] {
    started.count_down();
    go.get_future().wait();
    ++ran;
  });
  for (int i = 0; i < 10; ++i) thread.post([&] { ++ran; });
  started.wait();

  std::thread stopper([&] { thread.stop(); });
  go.set_value();
  stopper.join();

  EXPECT_EQ(ran, 11);
}

TEST(BlockingThread, runs_what_a_queued_task_posts_while_it_stops) {
  bool ran = false;
  BlockingThread thread;
  thread.post([&] { thread.post([&] { ran = true; }); });

  thread.stop();

  EXPECT_TRUE(ran);
}

TEST(BlockingThread, stops_twice_and_destroys_late_tasks_unrun) {
  auto held = std::make_shared<int>(0);
  std::atomic<bool> ran{false};
  {
    BlockingThread thread;
    thread.stop();
    thread.stop();

    thread.post([held, &ran] { ran = true; });
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(BlockingThread, destroys_a_task_before_it_runs_the_next) {
  auto held = std::make_shared<int>(0);
  long uses = 0;
  BlockingThread thread;
  thread.post([held] {});
  thread.post([&] { uses = held.use_count(); });

  thread.stop();

  EXPECT_EQ(uses, 1);
}

TEST(BlockingThread, has_a_clock_that_does_not_go_back) {
  const BlockingThread thread;
  const auto first = thread.now();

  EXPECT_LE(first, thread.now());
}

class ReaderPoolTest : public ::testing::Test {
 protected:
  storage::MemoryDisk disk;
  std::unique_ptr<storage::Stores> stores = storage::open_memory(disk);
};

TEST_F(ReaderPoolTest, runs_every_job_queued_before_it_stops) {
  std::atomic<int> ran{0};
  auto pool = *ReaderPool::open(*stores, 3);
  for (int i = 0; i < 200; ++i) {
    pool->run([&](storage::Reader& reader) {
      EXPECT_TRUE(reader.ping().has_value());
      ++ran;
    });
  }

  pool->stop();

  EXPECT_EQ(ran, 200);
}

TEST_F(ReaderPoolTest, runs_as_many_jobs_at_once_as_it_has_threads_each_with_its_own_reader) {
  std::latch together(2);
  std::vector<storage::Reader*> readers(2);
  auto pool = *ReaderPool::open(*stores, 2);
  for (std::size_t i = 0; i < 2; ++i) {
    pool->run([&, i](storage::Reader& reader) {
      readers[i] = &reader;
      together.arrive_and_wait();  // hangs with fewer threads
    });
  }

  pool->stop();

  EXPECT_NE(readers[0], readers[1]);
}

TEST_F(ReaderPoolTest, runs_what_a_job_asks_for_while_it_stops) {
  std::atomic<bool> ran{false};
  auto pool = *ReaderPool::open(*stores, 1);
  pool->run([&](storage::Reader&) { pool->run([&](storage::Reader&) { ran = true; }); });

  pool->stop();

  EXPECT_TRUE(ran);
}

TEST_F(ReaderPoolTest, stops_twice_and_destroys_late_jobs_unrun) {
  auto held = std::make_shared<int>(0);
  std::atomic<bool> ran{false};
  {
    auto pool = *ReaderPool::open(*stores, 2);
    pool->stop();
    pool->stop();

    pool->run([held, &ran](storage::Reader&) { ran = true; });
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

class FailingStores final : public storage::Stores {
 public:
  explicit FailingStores(storage::Stores& real) : real_(real) {}
  storage::ConvoStore& writer() override { return real_.writer(); }
  Result<std::unique_ptr<storage::Reader>> open_reader() override {
    if (++opened > 1) return fail(Errc::storage_unavailable, "no more");
    return real_.open_reader();
  }
  std::string incarnation() const override { return "x"; }
  std::string name() const override { return "failing"; }
  int opened = 0;

 private:
  storage::Stores& real_;
};

TEST_F(ReaderPoolTest, does_not_open_with_fewer_readers_than_asked) {
  FailingStores failing(*stores);

  const auto pool = ReaderPool::open(failing, 2);

  ASSERT_FALSE(pool.has_value());
  EXPECT_EQ(pool.error().detail, "no more");
}

}  // namespace
}  // namespace catbird::app
