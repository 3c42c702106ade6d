// SPDX-License-Identifier: MIT
#pragma once

#include "core/snapshot.hpp"
#include "storage/cleaner.hpp"
#include "storage/memory/memory_store.hpp"
#include "storage/rules.hpp"
#include "storage/table.hpp"

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

// The tables of the store in memory. Ordered containers only: nothing depends on addresses.

namespace catbird::storage::memory {

/// Takes changes back, newest first: a rejected set, or a tail that was never synced.
class Journal {
 public:
  /// Before changing `object`, which must stay where it is.
  template <class T>
  void save(T& object) {
    steps_.emplace_back([&object, old = object]() mutable { object = std::move(old); });
  }
  template <class Map>
  typename Map::mapped_type& insert(Map& map, typename Map::key_type key,
                                    typename Map::mapped_type value) {
    steps_.emplace_back([&map, key] { map.erase(key); });
    return map.insert_or_assign(std::move(key), std::move(value)).first->second;
  }
  template <class Map>
  void erase(Map& map, typename Map::key_type key) {
    // The node itself comes back: older steps refer to what it holds.
    auto node = std::make_shared<typename Map::node_type>(map.extract(key));
    steps_.emplace_back([&map, node] { map.insert(std::move(*node)); });
  }
  /// A list whose elements are saved one by one must be a deque: they must not move.
  template <class List>
  typename List::value_type& append(List& list, typename List::value_type value) {
    steps_.emplace_back([&list] { list.pop_back(); });
    return list.emplace_back(std::move(value));
  }
  std::size_t mark() const { return steps_.size(); }
  void roll_back(std::size_t mark) {
    while (steps_.size() > mark) {
      steps_.back()();
      steps_.pop_back();
    }
  }
  void forget() { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

using MemoryTable = std::map<Cells, Cells>;  // by key

struct MemberRow {
  bool admin = false;
  core::Seq join_seq;
  core::Seq read_seq;
  std::optional<core::Departure> left;
  Timestamp joined_at;
  std::optional<Timestamp> promoted_at;
  std::set<core::DeviceId> devices;
};

struct MessageRow {
  std::uint64_t position = 0;
  core::RowAppended row;
};

/// What an UPDATE of the conversation row changes.
struct Head {
  core::Fence fence;
  core::Version version;
  core::Seq last_seq;
  core::Epoch epoch;
  std::optional<Timestamp> last_message_at;
  std::optional<GroupInfoView> group_info;
};

struct RecipientRow {
  WelcomePointer pointer;
  core::Did user;
  Blob bytes;
  core::Epoch epoch;
  bool gone = false;  // retention: rows stay where they are, the journal refers to them
};

struct ConvoRow {
  RowHandle id = 0;
  core::ConvoCreated created;
  Head head;
  std::map<core::Did, MemberRow> members;
  std::deque<MessageRow> rows;  // rows[i] has seq i + 1
  core::Seq first_seq{1};
  std::map<core::MsgId, core::Seq> by_id;
  std::vector<std::string> keys;  // KeyWindow names, oldest first
  std::deque<RecipientRow> recipients;
};

struct RequestRow {
  core::Hash payload{};
  core::Outcome outcome;
  bool gone = false;
};

struct PackageRow {
  PackageState state;
  core::Did user;
  NewKeyPackage package;
  Timestamp published_at;
  std::optional<Timestamp> consumed_at;
  bool gone = false;
};

}  // namespace catbird::storage::memory

namespace catbird::storage {

struct MemoryDisk::Data {
  using Journal = memory::Journal;

  // Recursive: a direct request reads while its transaction holds the disk.
  mutable std::recursive_mutex mutex;
  std::map<core::ConvoId, memory::ConvoRow> convos;
  std::map<Bytes, core::ConvoId> groups;
  std::map<std::string, memory::RequestRow> requests;  // by KeyWindow name
  std::map<std::int64_t, memory::PackageRow> packages;
  std::map<Bytes, std::int64_t> package_ids;             // by ref and by hash
  std::vector<std::pair<core::ConvoId, core::Seq>> log;  // log[i] has position i + 1
  std::map<std::string, memory::MemoryTable> tables;
  RowHandle next_row = 1;
  std::int64_t next_recipient = 1;
  std::uint64_t fences = 0;
  std::uint64_t incarnation = 1;
  std::uint64_t commits = 0;

  Journal journal;
  std::size_t unsynced = 0;
  std::deque<Fault> injected;
  std::function<Fault(std::span<const WriteSet>, std::span<const UserJob>)> choose_fault;
  std::function<bool()> read_fails;

  memory::ConvoRow* find(const core::ConvoId& id);
  /// By ref or by hash.
  memory::PackageRow* find_package(const Bytes& id);
};

namespace memory {

/// Applies the events of one checked write set; on failure the caller rolls the journal back. The
/// caller holds the mutex.
Result<void> apply(MemoryDisk::Data& data, const WriteSet& set, ConvoRow& convo);

/// In the log at the place of a notice, which is in its table.
inline constexpr core::Seq no_row{0};
/// Behind everything in the log.
Result<void> append_notice(MemoryDisk::Data& data, const core::ConvoId& convo,
                           const core::Noted& noted);

/// For jobs; the disk is locked by the batch.
std::unique_ptr<Cleaner> make_cleaner(MemoryDisk::Data& data);
std::unique_ptr<UserWriter> make_user_writer(MemoryDisk::Data& data);
std::unique_ptr<Reader> make_reader(MemoryDisk::Data& data);

}  // namespace memory
}  // namespace catbird::storage
