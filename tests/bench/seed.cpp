// SPDX-License-Identifier: MIT
#include "bench/seed.hpp"

#include "storage/postgres/postgres_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"

#include <chrono>
#include <stdexcept>
#include <utility>

namespace catbird::bench {

namespace {

constexpr std::size_t batch_sets_max = 256;
constexpr std::size_t batch_events_max = 4'096;
/// Rows of one write set; a longer history is written by several.
constexpr std::size_t set_rows_max = 1'000;
constexpr std::chrono::minutes statement_max{2};

template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().detail);
  return std::move(*result);
}

Timestamp wall_clock() {
  return Timestamp(std::chrono::duration_cast<std::chrono::milliseconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count());
}

class Seeder {
 public:
  explicit Seeder(storage::Stores& stores)
      : store_(stores.writer()), fence_(value_of(store_.draw_fence())), now_(wall_clock()) {}

  void add(const Group& group) {
    for (std::size_t i = 0; i < group.convos; ++i) add(group, i);
    flush();
  }

 private:
  void add(const Group& group, std::size_t number) {
    const core::ConvoId convo(group.convo(number));
    const auto frame = make_blob(message_frame(convo.value, short_ciphertext_bytes));
    auto set = creation(group, number);
    const auto rows = group.rows_in(number);
    for (std::size_t row = 0;;) {
      for (std::size_t i = 0; i < set_rows_max && row < rows; ++i) {
        set.events.push_back(message(core::Seq(++row), frame));
      }
      set.new_last_seq = core::Seq(row);
      auto next = following(set);
      push(std::move(set));
      if (row == rows) return;
      set = std::move(next);
    }
  }

  storage::WriteSet creation(const Group& group, std::size_t number) const {
    storage::WriteSet set;
    set.convo = core::ConvoId(group.convo(number));
    set.creates = true;
    set.fence = fence_;
    set.events.emplace_back(core::ConvoCreated{.group_id = *from_hex(set.convo.value),
                                               .creator = core::Did(group.did(number, 0)),
                                               .suite = 1,
                                               .name = "",
                                               .epoch = core::Epoch(0),
                                               .at = now_});
    for (std::size_t i = 0; i < group.members; ++i) {
      const core::Did user(group.did(number, i));
      set.events.emplace_back(core::MemberAdded{user, i == 0, core::Seq(0), now_});
      set.events.emplace_back(core::DeviceAdded{user, core::DeviceId(), core::Seq(0)});
    }
    return set;
  }

  core::Event message(core::Seq seq, const Blob& frame) {
    return core::RowAppended{.seq = seq,
                             .epoch = core::Epoch(0),
                             .kind = core::Kind::app,
                             .id = core::MsgId(message_id(seeded_messages + ++messages_)),
                             .tag = {},
                             .committer = {},
                             .base = std::nullopt,
                             .at = now_,
                             .bytes = frame};
  }

  storage::WriteSet following(const storage::WriteSet& set) const {
    storage::WriteSet next;
    next.convo = set.convo;
    next.seen = fence_;
    next.fence = fence_;
    next.version = core::Version(set.version.value + 1);
    next.last_seq = set.new_last_seq;
    next.new_last_seq = set.new_last_seq;
    return next;
  }

  void push(storage::WriteSet set) {
    events_ += set.events.size();
    sets_.push_back(std::move(set));
    if (sets_.size() >= batch_sets_max || events_ >= batch_events_max) flush();
  }

  void flush() {
    if (sets_.empty()) return;
    const auto results = store_.commit(sets_, {});
    for (const auto& result : results.sets) {
      if (result.status == storage::CommitStatus::committed) continue;
      throw std::runtime_error("seeding: a write set was refused: " + result.error.detail);
    }
    sets_.clear();
    events_ = 0;
  }

  storage::ConvoStore& store_;
  core::Fence fence_;
  Timestamp now_;
  std::vector<storage::WriteSet> sets_;
  std::size_t events_ = 0;
  std::uint64_t messages_ = 0;
};

}  // namespace

std::unique_ptr<storage::Stores> open_stores(const std::string& database) {
  constexpr std::string_view sqlite = "sqlite:";
  if (database.starts_with(sqlite)) {
    return value_of(storage::open_sqlite({.path = database.substr(sqlite.size()), .on_fatal = {}}));
  }
  storage::PostgresOptions options;
  options.url = database;
  options.statement_timeout = statement_max;
  return value_of(storage::open_postgres(options));
}

void seed(storage::Stores& stores, const std::vector<Group>& groups) {
  Seeder seeder(stores);
  for (const auto& group : groups) seeder.add(group);
}

}  // namespace catbird::bench
