// SPDX-License-Identifier: MIT
#pragma once

#include "core/conversation.hpp"
#include "crash/power_cut.hpp"
#include "storage/memory/memory_store.hpp"
#include "storage/stores.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace catbird::crash {

/// What the commit lane puts into one transaction.
struct Batch {
  std::vector<storage::WriteSet> sets;
  std::vector<storage::UserJob> jobs;
};

/// batch: as the lane of the actors gathers it; the others: what the direct gateway does at a time.
enum class Shape : std::uint8_t { batch, one_set, one_job };

/// A random life of three conversations and some key packages, decided by core, and the text of
/// everything a reader must give after each of its batches, according to the memory store. The
/// memory store is the oracle: it shares no code with SQLite's below the contract.
class History {
 public:
  explicit History(std::uint64_t seed);

  /// Decides one more batch under this fence and applies it to the oracle. It may be empty.
  const Batch& add(core::Fence fence, Shape shape);
  /// Forgets what came after the first `batches`.
  void rewind(std::size_t batches);

  std::size_t batches() const { return batches_.size(); }
  /// What a reader gives after the first `batches`.
  const std::string& text_after(std::size_t batches) const { return texts_[batches]; }
  /// The same of any store.
  std::string text_of(storage::Reader& reader) const;

 private:
  struct Convo {
    core::Conversation state;
    core::Fence seen;
    core::Version version;
  };
  struct Reserved {
    core::Did target;
    Bytes ref;
  };
  struct World {
    std::map<core::ConvoId, Convo> convos;
    std::vector<Reserved> reserved;  // to alice, and perhaps used since
    std::int64_t now = 0;
    std::uint64_t names = 0;
  };

  std::uint64_t pick(std::uint64_t below) { return crash::pick(random_, below); }
  Blob blob(std::size_t bytes_max);
  core::MsgId fresh_id();
  core::GroupParts parts(const core::Conversation& convo, const std::vector<core::Did>& joiners);
  core::Command command(const core::ConvoId& id, const core::Conversation& convo);
  void add_set(Batch& batch, std::map<core::ConvoId, Convo>& ahead, core::Fence fence);
  void add_job(Batch& batch);
  void apply(const Batch& batch);
  void open_oracle();

  Random random_;
  World world_;
  std::vector<Batch> batches_;
  std::vector<World> worlds_;       // before and after each batch
  std::vector<std::string> texts_;  // the same
  std::unique_ptr<storage::MemoryDisk> disk_;
  std::unique_ptr<storage::Stores> oracle_;
  std::unique_ptr<storage::Reader> reader_;
};

}  // namespace catbird::crash
