// SPDX-License-Identifier: MIT
#include "storage/memory/memory_store.hpp"

#include "base/mutant.hpp"
#include "storage/memory/data.hpp"

#include <set>

namespace catbird::storage {

MemoryDisk::MemoryDisk() : data_(std::make_unique<Data>()) {}
MemoryDisk::~MemoryDisk() = default;

void MemoryDisk::inject(Fault fault) {
  const std::lock_guard lock(data_->mutex);
  data_->injected.push_back(fault);
}

void MemoryDisk::on_batch(
    std::function<Fault(std::span<const WriteSet>, std::span<const UserJob>)> choose) {
  const std::lock_guard lock(data_->mutex);
  data_->choose_fault = std::move(choose);
}

void MemoryDisk::on_read(std::function<bool()> fails) {
  const std::lock_guard lock(data_->mutex);
  data_->read_fails = std::move(fails);
}

void MemoryDisk::crash() {
  const std::lock_guard lock(data_->mutex);
  data_->journal.roll_back(0);
  data_->unsynced = 0;
}

std::size_t MemoryDisk::unsynced_batches() const {
  const std::lock_guard lock(data_->mutex);
  return data_->unsynced;
}

void MemoryDisk::new_incarnation() {
  const std::lock_guard lock(data_->mutex);
  ++data_->incarnation;
}

memory::ConvoRow* MemoryDisk::Data::find(const core::ConvoId& id) {
  auto it = convos.find(id);
  return it == convos.end() ? nullptr : &it->second;
}

memory::PackageRow* MemoryDisk::Data::find_package(const Bytes& id) {
  const auto it = package_ids.find(id);
  if (it == package_ids.end()) return nullptr;
  auto& row = packages.at(it->second);
  return row.gone ? nullptr : &row;
}

namespace memory {
namespace {

WriteResult refused(CommitStatus status, Error error) {
  WriteResult result;
  result.status = status;
  result.error = std::move(error);
  return result;
}

WriteResult fenced() {
  return refused(CommitStatus::fenced, {Errc::retry, "the conversation was written meanwhile"});
}

bool as_expected(const ConvoRow& row, const WriteSet& set) {
  if (mutant("no_fence") || mutant("max_seq_plus_one")) return true;
  return (set.row == 0 || set.row == row.id) && row.head.fence == set.seen &&
         set.seen <= set.fence && row.head.version == set.version &&
         row.head.last_seq == set.last_seq && row.head.epoch == set.epoch;
}

class MemoryWriter final : public ConvoStore {
 public:
  explicit MemoryWriter(MemoryDisk::Data& data)
      : data_(data), users_(make_user_writer(data)), reader_(make_reader(data)) {}

  BatchResult commit(std::span<const WriteSet> sets, std::span<const UserJob> jobs) override {
    const std::lock_guard lock(data_.mutex);
    const auto fault = next_fault(sets, jobs);
    switch (fault) {
      case Fault::fail_before:
        return all(sets, jobs, CommitStatus::failed,
                   {Errc::storage_unavailable, "the store did not answer"});
      case Fault::full:
        return all(sets, jobs, CommitStatus::failed, {Errc::storage_full, "the store is full"});
      case Fault::unknown_lost:
        return all(sets, jobs, CommitStatus::unknown, outcome_unknown());
      default:
        break;
    }
    auto result = apply_batch(sets, jobs);
    ++data_.commits;
    if (fault == Fault::unknown_unsynced || fault == Fault::committed_unsynced) {
      ++data_.unsynced;
    } else {
      data_.journal.forget();  // the sync: also of what older batches left behind
      data_.unsynced = 0;
    }
    if (fault == Fault::unknown_committed || fault == Fault::unknown_unsynced) {
      return all(sets, jobs, CommitStatus::unknown, outcome_unknown());
    }
    return result;
  }

  WriteResult transact(const Decide& decide) override {
    const std::lock_guard lock(data_.mutex);
    auto set = decide(*reader_, core::Fence(data_.fences + 1));
    if (!set) return refused(CommitStatus::failed, set.error());
    if (*set == nullptr) return {.status = CommitStatus::committed};
    ++data_.fences;
    return std::move(commit({*set, 1}, {}).sets.front());
  }

  Result<core::Fence> draw_fence() override {
    const std::lock_guard lock(data_.mutex);
    return core::Fence(++data_.fences);
  }

 private:
  static Error outcome_unknown() { return {Errc::retry, "the outcome is not known"}; }

  Fault next_fault(std::span<const WriteSet> sets, std::span<const UserJob> jobs) {
    if (!data_.injected.empty()) {
      const auto fault = data_.injected.front();
      data_.injected.pop_front();
      return fault;
    }
    return data_.choose_fault ? data_.choose_fault(sets, jobs) : Fault::none;
  }

  static BatchResult all(std::span<const WriteSet> sets, std::span<const UserJob> jobs,
                         CommitStatus status, const Error& error) {
    BatchResult result;
    result.sets.assign(sets.size(), refused(status, error));
    result.jobs.assign(jobs.size(), UserResult{status, error, {}});
    return result;
  }

  BatchResult apply_batch(std::span<const WriteSet> sets, std::span<const UserJob> jobs) {
    BatchResult result;
    std::set<core::ConvoId> broken;
    for (const auto& set : sets) {
      const auto mark = data_.journal.mark();
      auto one = broken.contains(set.convo) ? fenced() : apply_set(set);
      if (one.status != CommitStatus::committed) {
        data_.journal.roll_back(mark);
        broken.insert(set.convo);
      }
      result.sets.push_back(std::move(one));
    }
    for (const auto& job : jobs) {
      const auto mark = data_.journal.mark();
      users_->take_notices();
      auto done = job.run(*users_);
      if (!done) data_.journal.roll_back(mark);
      result.jobs.push_back(done ? UserResult{CommitStatus::committed, {}, users_->take_notices()}
                                 : UserResult{CommitStatus::rejected, done.error(), {}});
    }
    return result;
  }

  WriteResult apply_set(const WriteSet& set) {
    if (auto sound = check_write_set(set); !sound) {
      return refused(CommitStatus::rejected, sound.error());
    }
    auto* convo = set.creates ? create(set) : data_.find(set.convo);
    if (convo == nullptr || (!set.creates && !as_expected(*convo, set))) return fenced();
    const auto first = data_.log.size() + 1;
    data_.journal.save(convo->head);
    if (auto applied = apply(data_, set, *convo); !applied) {
      return refused(CommitStatus::rejected, applied.error());
    }
    convo->head.fence = set.fence;
    convo->head.version = core::Version(set.version.value + 1);
    convo->head.last_seq = set.new_last_seq;
    convo->head.epoch = set.new_epoch;
    WriteResult result;
    result.status = CommitStatus::committed;
    result.row = convo->id;
    result.first_position = data_.log.size() >= first ? first : 0;
    return result;
  }

  // Nothing if the id or the group is taken.
  ConvoRow* create(const WriteSet& set) {
    const auto& created = std::get<core::ConvoCreated>(set.events.front());
    if (data_.convos.contains(set.convo) || data_.groups.contains(created.group_id)) {
      return nullptr;
    }
    data_.journal.insert(data_.groups, created.group_id, set.convo);
    auto& row = data_.journal.insert(data_.convos, set.convo, ConvoRow{});
    row.id = data_.next_row++;
    row.created = created;
    row.head.epoch = created.epoch;
    return &row;
  }

  MemoryDisk::Data& data_;
  std::unique_ptr<UserWriter> users_;
  std::unique_ptr<Reader> reader_;
};

class MemoryStores final : public Stores {
 public:
  explicit MemoryStores(MemoryDisk::Data& data) : data_(data), writer_(data) {}

  ConvoStore& writer() override { return writer_; }
  Result<std::unique_ptr<Reader>> open_reader() override { return make_reader(data_); }
  std::string incarnation() const override {
    const std::lock_guard lock(data_.mutex);
    return "memory-" + std::to_string(data_.incarnation);
  }
  std::string name() const override { return "memory"; }
  StoreStats stats() const override {
    const std::lock_guard lock(data_.mutex);
    StoreStats stats;
    stats.commits = data_.commits;
    return stats;
  }

 private:
  MemoryDisk::Data& data_;
  MemoryWriter writer_;
};

}  // namespace
}  // namespace memory

std::unique_ptr<Stores> open_memory(MemoryDisk& disk) {
  return std::make_unique<memory::MemoryStores>(disk.data());
}

}  // namespace catbird::storage
