// SPDX-License-Identifier: MIT
#include "app/threads.hpp"

#include "base/check.hpp"

#include <utility>

namespace catbird::app {

BlockingThread::BlockingThread() : thread_([this] { run(); }) {}

BlockingThread::~BlockingThread() { stop(); }

void BlockingThread::post(actors::Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void BlockingThread::post_after(std::chrono::milliseconds, actors::Task) {
  CATBIRD_CHECK(false && "a blocking thread has no timers");
}

actors::Instant BlockingThread::now() const {
  return std::chrono::duration_cast<actors::Instant>(
      std::chrono::steady_clock::now().time_since_epoch());
}

void BlockingThread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
    if (tasks_.empty()) return;
    auto task = std::move(tasks_.front());
    tasks_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

void BlockingThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::unique_ptr<ReaderPool>> ReaderPool::open(storage::Stores& stores, unsigned threads) {
  std::unique_ptr<ReaderPool> pool(new ReaderPool);
  for (unsigned i = 0; i < threads; ++i) {
    auto reader = stores.open_reader();
    if (!reader) return std::unexpected(reader.error());
    pool->readers_.push_back(std::move(*reader));
  }
  for (auto& reader : pool->readers_) {
    pool->threads_.emplace_back([pool = pool.get(), &own = *reader] { pool->serve(own); });
  }
  return pool;
}

ReaderPool::~ReaderPool() { stop(); }

void ReaderPool::run(actors::ReadJob job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void ReaderPool::serve(storage::Reader& reader) {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job(reader);
    job = nullptr;
    lock.lock();
  }
}

void ReaderPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace catbird::app
