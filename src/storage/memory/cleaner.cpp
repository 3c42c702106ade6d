// SPDX-License-Identifier: MIT
// Retention on the tables in memory. The batch holds the mutex.
#include "storage/cleaner.hpp"

#include "base/mutant.hpp"
#include "storage/memory/data.hpp"

#include <algorithm>

namespace catbird::storage::memory {

namespace {

class MemoryCleaner final : public Cleaner {
 public:
  explicit MemoryCleaner(MemoryDisk::Data& data) : data_(data) {}

  Result<Expired> expire_messages(Timestamp before, RowHandle after) override {
    ConvoRow* due = nullptr;
    for (auto& [id, convo] : data_.convos) {
      if (convo.id <= after || (due != nullptr && due->id < convo.id)) continue;
      const auto oldest = convo.first_seq.value - 1;
      if (oldest < convo.rows.size() && convo.rows[oldest].row.at < before) due = &convo;
    }
    if (due == nullptr) return Expired{};
    return Expired{expire(*due, before), due->id - 1};
  }

  Result<std::uint64_t> forget_requests(Timestamp before) override {
    return mark(data_.requests, [&](const auto& row) { return row.outcome.at < before; });
  }

  Result<std::uint64_t> drop_welcomes(Timestamp before) override {
    std::uint64_t dropped = 0;
    for (auto& [id, convo] : data_.convos) {
      for (auto& row : convo.recipients) {
        if (row.gone || row.pointer.at >= before || dropped == clean_rows_max) continue;
        data_.journal.save(row);
        row.gone = true;
        row.bytes = make_blob({});
        ++dropped;
      }
    }
    return dropped;
  }

  Result<std::uint64_t> drop_key_packages(Timestamp now) override {
    return mark(data_.packages,
                [&](const auto& row) { return !row.consumed_at && row.state.not_after <= now; });
  }

 private:
  std::uint64_t expire(ConvoRow& convo, Timestamp before) {
    std::uint64_t bodies = 0;
    auto next = convo.first_seq.value;
    const auto end = std::min<std::uint64_t>(convo.rows.size(), next - 1 + clean_rows_max);
    for (; next <= end && convo.rows[next - 1].row.at < before; ++next) {
      auto& row = convo.rows[next - 1].row;
      if (row.kind == core::Kind::commit) continue;
      data_.journal.save(row.bytes);
      row.bytes = make_blob({});
      ++bodies;
    }
    data_.journal.save(convo.first_seq);
    if (!mutant("expiry_without_mark")) convo.first_seq = core::Seq(next);
    return bodies;
  }

  template <class Map, class Due>
  std::uint64_t mark(Map& map, Due due) {
    std::uint64_t marked = 0;
    for (auto& [key, row] : map) {
      if (row.gone || !due(row) || marked == clean_rows_max) continue;
      data_.journal.save(row);
      row.gone = true;
      ++marked;
    }
    return marked;
  }

  MemoryDisk::Data& data_;
};

}  // namespace

std::unique_ptr<Cleaner> make_cleaner(MemoryDisk::Data& data) {
  return std::make_unique<MemoryCleaner>(data);
}

}  // namespace catbird::storage::memory
