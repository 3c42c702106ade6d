// SPDX-License-Identifier: MIT
#pragma once

#include "actors/executor.hpp"
#include "actors/readers.hpp"
#include "storage/stores.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace catbird::app {

/// One thread that may block: the commit lane's. stop() runs what is queued, then joins.
class BlockingThread final : public actors::Executor {
 public:
  BlockingThread();
  ~BlockingThread() override;
  void post(actors::Task task) override;
  /// Not offered: nothing on the lane waits for time.
  void post_after(std::chrono::milliseconds delay, actors::Task task) override;
  actors::Instant now() const override;
  void stop();

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<actors::Task> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

/// Reader threads, each with its own connection. stop() runs what is queued, then joins.
class ReaderPool final : public actors::Readers {
 public:
  /// Fails if a reader cannot be opened.
  static Result<std::unique_ptr<ReaderPool>> open(storage::Stores& stores, unsigned threads);
  ~ReaderPool() override;
  void run(actors::ReadJob job) override;
  void stop();

 private:
  ReaderPool() = default;
  void serve(storage::Reader& reader);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<actors::ReadJob> jobs_;
  bool stopping_ = false;
  std::vector<std::unique_ptr<storage::Reader>> readers_;
  std::vector<std::thread> threads_;
};

}  // namespace catbird::app
