// SPDX-License-Identifier: MIT
#include "sim/witness.hpp"

#include <algorithm>
#include <map>

namespace catbird::sim {

namespace {

using storage::CommitStatus;

// Passes everything on and notes what was done, for the model.
class NotingWriter final : public storage::UserWriter {
 public:
  using Notes = std::vector<std::function<void(Model&)>>;
  NotingWriter(storage::UserWriter& writer, Notes& notes) : writer_(writer), notes_(notes) {}

  storage::TableWriter& tables() override { return writer_.tables(); }
  Result<std::optional<storage::PlacedNotice>> place(const core::ConvoId& convo,
                                                     core::Noted noted) override {
    return writer_.place(convo, std::move(noted));
  }
  void tell(storage::PlacedNotice notice) override { writer_.tell(std::move(notice)); }

  Result<storage::PublishResult> publish(const core::Caller& owner,
                                         const storage::NewKeyPackage& package,
                                         Timestamp now) override {
    auto done = writer_.publish(owner, package, now);
    if (done) {
      notes_.emplace_back([owner, package, result = *done](Model& model) {
        model.published(owner, package, result);
      });
    }
    return done;
  }
  Result<std::vector<storage::ReservedKeyPackage>> reserve(
      const storage::ReserveQuery& query) override {
    auto done = writer_.reserve(query);
    if (done) {
      notes_.emplace_back([query, given = *done](Model& model) { model.reserved(query, given); });
    }
    return done;
  }
  Result<bool> end_welcome(const core::ConvoId& convo, const core::Caller& device, Timestamp now,
                           storage::WelcomeEnd end) override {
    auto done = writer_.end_welcome(convo, device, now, end);
    if (done) {
      notes_.emplace_back([convo, device, now, found = *done](Model& model) {
        model.confirmed(convo, device, now, found);
      });
    }
    return done;
  }
  /// The simulator's users revoke nothing.
  Result<std::uint64_t> revoke(const core::Caller& owner,
                               const std::optional<std::vector<Bytes>>& only,
                               Timestamp now) override {
    return writer_.revoke(owner, only, now);
  }
  /// No endpoint leads here.
  Result<storage::PublishResult> note_consumed(const core::Caller& owner,
                                               const storage::NewKeyPackage& package,
                                               Timestamp at) override {
    return writer_.note_consumed(owner, package, at);
  }

 private:
  storage::UserWriter& writer_;
  Notes& notes_;
};

storage::BatchResult all(std::size_t sets, std::size_t jobs, CommitStatus status, Error error) {
  storage::BatchResult result;
  storage::WriteResult one;
  one.status = status;
  one.error = error;
  result.sets.assign(sets, one);
  result.jobs.assign(jobs, {status, std::move(error), {}});
  return result;
}

}  // namespace

Witness::Witness(std::unique_ptr<storage::Stores> stores, Setting setting)
    : stores_(std::move(stores)),
      setting_(std::move(setting)),
      writer_(stores_->writer(), setting_) {}

storage::BatchResult Witness::Writer::commit(std::span<const storage::WriteSet> sets,
                                             std::span<const storage::UserJob> jobs) {
  const Error unknown{Errc::retry, "the outcome is not known"};
  switch (setting_.fate ? setting_.fate() : Fate::done) {
    case Fate::failed:
      return all(sets.size(), jobs.size(), CommitStatus::failed,
                 {Errc::storage_unavailable, "the store did not answer"});
    case Fate::full:
      return all(sets.size(), jobs.size(), CommitStatus::failed,
                 {Errc::storage_full, "the store is full"});
    case Fate::lost:
      break;
    case Fate::committed:
      write(sets, jobs, true);
      break;
    case Fate::unsynced:
      setting_.before_unsynced();
      write(sets, jobs, false);
      break;
    case Fate::done:
      return write(sets, jobs, true);
  }
  return all(sets.size(), jobs.size(), CommitStatus::unknown, unknown);
}

// The fate is drawn when there is something to write: a transaction that only reads cannot be lost.
storage::WriteResult Witness::Writer::transact(const storage::Decide& decide) {
  std::optional<storage::WriteSet> set;
  auto fate = Fate::done;
  const auto drawn = [&](storage::Reader& reader, core::Fence fence) {
    auto decided = decide(reader, fence);
    if (!decided || *decided == nullptr) return decided;
    fate = setting_.fate ? setting_.fate() : Fate::done;
    if (fate == Fate::unsynced) setting_.before_unsynced();
    if (fate == Fate::done || fate == Fate::committed || fate == Fate::unsynced) {
      set = **decided;
      return decided;
    }
    using Given = Result<const storage::WriteSet*>;
    return Given(nullptr);  // the store is left as it is
  };
  auto result = store_.transact(drawn);
  if (set && fate != Fate::unsynced && result.status == CommitStatus::committed) {
    setting_.model.committed(*set, result.first_position, setting_.foreign);
  }
  if (fate == Fate::done) return result;
  storage::WriteResult changed;
  changed.status =
      fate == Fate::failed || fate == Fate::full ? CommitStatus::failed : CommitStatus::unknown;
  changed.error = fate == Fate::failed ? Error{Errc::storage_unavailable, "no answer"}
                  : fate == Fate::full ? Error{Errc::storage_full, "the store is full"}
                                       : Error{Errc::retry, "the outcome is not known"};
  return changed;
}

storage::BatchResult Witness::Writer::write(std::span<const storage::WriteSet> sets,
                                            std::span<const storage::UserJob> jobs, bool tell) {
  std::vector<Notes> notes(jobs.size());
  std::vector<storage::UserJob> noting;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    noting.push_back({[&run = jobs[i].run, &mine = notes[i]](storage::UserWriter& writer) {
      mine.clear();  // a batch that is taken apart starts over
      NotingWriter noted(writer, mine);
      return run(noted);
    }});
  }
  auto result = store_.commit(sets, noting);
  if (!tell) return result;
  // In the order of the log, which need not be the batch's; within a conversation it is.
  std::vector<std::pair<std::uint64_t, std::size_t>> order;
  std::map<std::string, std::uint64_t> last;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (result.sets[i].status != CommitStatus::committed) continue;
    auto& place = last[sets[i].convo.value];
    place = std::max(place, result.sets[i].first_position);  // 0: it has no row
    order.emplace_back(place, i);
  }
  std::ranges::sort(order);
  for (const auto& [place, i] : order) {
    setting_.model.committed(sets[i], result.sets[i].first_position, setting_.foreign);
  }
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (result.jobs[i].status != CommitStatus::committed) continue;
    for (const auto& note : notes[i]) note(setting_.model);
  }
  return result;
}

}  // namespace catbird::sim
