// SPDX-License-Identifier: MIT
// Key packages and Welcomes of users, on the tables in memory. The batch holds the mutex.
#include "storage/user_writer.hpp"

#include "core/limits.hpp"
#include "storage/memory/data.hpp"
#include "storage/memory/tables.hpp"

#include <algorithm>

namespace catbird::storage::memory {

namespace {

class MemoryUserWriter final : public UserWriter {
 public:
  explicit MemoryUserWriter(MemoryDisk::Data& data)
      : data_(data), tables_(data), cleaner_(make_cleaner(data)) {}

  TableWriter& tables() override { return tables_; }

  Result<PublishResult> publish(const core::Caller& owner, const NewKeyPackage& package,
                                Timestamp now) override {
    for (const auto& id : {package.hash, package.ref}) {
      if (data_.find_package(id) != nullptr) return PublishResult::duplicate;
    }
    const auto pool = std::ranges::count_if(data_.packages, [&](const auto& entry) {
      const auto& row = entry.second;
      return row.user == owner.user && row.state.device == owner.device &&
             row.package.suite == package.suite && !row.consumed_at && !row.gone &&
             row.state.not_after > now;
    });
    if (std::cmp_greater_equal(pool, core::key_packages_per_device_max)) {
      return PublishResult::pool_full;
    }
    insert(owner, package, now, std::nullopt);
    return PublishResult::stored;
  }

  Result<PublishResult> note_consumed(const core::Caller& owner, const NewKeyPackage& package,
                                      Timestamp at) override {
    for (const auto& id : {package.hash, package.ref}) {
      if (data_.find_package(id) != nullptr) return PublishResult::duplicate;
    }
    insert(owner, names_of(package), at, at);
    return PublishResult::stored;
  }

  Result<std::vector<ReservedKeyPackage>> reserve(const ReserveQuery& query) override {
    std::vector<PackageState> states;
    for (const auto& [id, row] : data_.packages) {
      if (row.user != query.target || row.package.suite != query.suite) continue;
      if (row.consumed_at || row.gone) continue;
      if (query.device && row.state.device != *query.device) continue;
      states.push_back(row.state);
    }
    std::vector<ReservedKeyPackage> reserved;
    for (const auto& choice : choose_packages(states, query.caller, query.now, query.taken)) {
      auto& row = data_.packages.at(states[choice.index].id);
      if (choice.reserves) {
        data_.journal.save(row);
        row.state.reserved_by = query.caller;
        row.state.reserved_until = reservation_end(query.now, row.state.not_after);
      }
      reserved.push_back({row.user, row.state.device, row.package.suite, row.package.hash,
                          row.package.ref, row.package.bytes, row.state.last_resort, row.state.id});
    }
    return reserved;
  }

  Result<std::uint64_t> revoke(const core::Caller& owner,
                               const std::optional<std::vector<Bytes>>& only,
                               Timestamp now) override {
    std::uint64_t revoked = 0;
    for (auto& [id, row] : data_.packages) {
      if (row.user != owner.user || row.state.device != owner.device) continue;
      if (row.consumed_at || row.gone) continue;
      if (!to_revoke(row.package.hash, row.state, only, now)) continue;
      data_.journal.save(row);
      row.state.last_resort = false;
      row.state.reserved_by.reset();
      row.consumed_at = now;
      row.package = names_of(std::move(row.package));
      ++revoked;
    }
    return revoked;
  }

  // Why it ended makes no difference to any reader.
  Result<bool> end_welcome(const core::ConvoId& convo, const core::Caller& device, Timestamp now,
                           WelcomeEnd) override {
    auto* row = data_.find(convo);
    if (row == nullptr) return false;
    std::vector<WelcomePointer> pointers;
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < row->recipients.size(); ++i) {
      if (row->recipients[i].user != device.user || row->recipients[i].gone) continue;
      pointers.push_back(row->recipients[i].pointer);
      indices.push_back(i);
    }
    const auto chosen = choose_welcome(pointers, device.device, now);
    if (!chosen) return false;
    auto& pending = row->recipients[indices[*chosen]].pointer.pending;
    data_.journal.save(pending);
    pending = false;
    return true;
  }

  Cleaner* cleaner() override { return cleaner_.get(); }

  Result<std::optional<PlacedNotice>> place(const core::ConvoId& convo,
                                            core::Noted noted) override {
    const auto* row = data_.find(convo);
    if (row == nullptr) return std::nullopt;
    noted.seq = row->head.last_seq;
    noted.epoch = row->head.epoch;
    if (auto done = append_notice(data_, convo, noted); !done) {
      return std::unexpected(done.error());
    }
    return PlacedNotice{convo, data_.log.size(), std::move(noted)};
  }

 private:
  void insert(const core::Caller& owner, const NewKeyPackage& package, Timestamp now,
              std::optional<Timestamp> consumed_at) {
    const auto id = static_cast<std::int64_t>(data_.packages.size()) + 1;
    PackageRow row;
    row.state.id = id;
    row.state.device = owner.device;
    row.state.last_resort = package.last_resort;
    row.state.not_after = package.not_after;
    row.user = owner.user;
    row.package = package;
    row.published_at = now;
    row.consumed_at = consumed_at;
    data_.journal.insert(data_.packages, id, std::move(row));
    data_.journal.insert(data_.package_ids, package.ref, id);
    data_.journal.insert(data_.package_ids, package.hash, id);
  }

  MemoryDisk::Data& data_;
  MemoryTables tables_;
  std::unique_ptr<Cleaner> cleaner_;
};

}  // namespace

std::unique_ptr<UserWriter> make_user_writer(MemoryDisk::Data& data) {
  return std::make_unique<MemoryUserWriter>(data);
}

}  // namespace catbird::storage::memory
