// SPDX-License-Identifier: MIT
#pragma once

#include "sim/model.hpp"
#include "storage/stores.hpp"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace catbird::sim {

/// What becomes of one transaction.
enum class Fate : std::uint8_t { done, failed, full, lost, committed, unsynced };

/// Stands between a process and its store: decides the fate of each transaction and tells the model
/// what became durable, whatever the process is told. The store behind it never fails by itself.
class Witness final : public storage::Stores {
 public:
  struct Setting {
    Model& model;
    std::function<Fate()> fate;             // null: always done
    std::function<void()> before_unsynced;  // makes the store keep the next batch unsynced
    bool foreign = false;                   // the second owner's
  };
  Witness(std::unique_ptr<storage::Stores> stores, Setting setting);

  storage::ConvoStore& writer() override { return writer_; }
  Result<std::unique_ptr<storage::Reader>> open_reader() override { return stores_->open_reader(); }
  std::string incarnation() const override { return stores_->incarnation(); }
  std::string name() const override { return stores_->name(); }

 private:
  class Writer final : public storage::ConvoStore {
   public:
    Writer(storage::ConvoStore& store, const Setting& setting) : store_(store), setting_(setting) {}
    storage::BatchResult commit(std::span<const storage::WriteSet> sets,
                                std::span<const storage::UserJob> jobs) override;
    storage::WriteResult transact(const storage::Decide& decide) override;
    Result<core::Fence> draw_fence() override { return store_.draw_fence(); }
    void idle() override { store_.idle(); }

   private:
    using Notes = std::vector<std::function<void(Model&)>>;
    storage::BatchResult write(std::span<const storage::WriteSet> sets,
                               std::span<const storage::UserJob> jobs, bool tell);

    storage::ConvoStore& store_;
    const Setting& setting_;
  };

  std::unique_ptr<storage::Stores> stores_;
  const Setting setting_;
  Writer writer_;
};

}  // namespace catbird::sim
