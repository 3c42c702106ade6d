// SPDX-License-Identifier: MIT
#include "storage/reader.hpp"

#include "base/mutant.hpp"
#include "core/key_window.hpp"
#include "storage/memory/data.hpp"
#include "storage/memory/tables.hpp"
#include "storage/tables/conversations.hpp"

#include <algorithm>
#include <ranges>

namespace catbird::storage::memory {

namespace {

constexpr std::int64_t day_ms = 24LL * 3600 * 1000;

Row row_of(const core::ConvoId& convo, const MessageRow& message) {
  const auto& row = message.row;
  return {.convo = convo,
          .position = message.position,
          .seq = row.seq,
          .epoch = row.epoch,
          .kind = row.kind,
          .id = row.id,
          .committer = row.committer,
          .at = row.at,
          .bytes = row.bytes};
}

core::Snapshot snapshot_of(const ConvoRow& convo) {
  core::Snapshot state;
  state.exists = true;
  state.group_id = convo.created.group_id;
  state.creator = convo.created.creator;
  state.suite = convo.created.suite;
  state.created_at = convo.created.at;
  state.creation_epoch = convo.created.epoch;
  state.epoch = convo.head.epoch;
  state.last_seq = convo.head.last_seq;
  if (convo.head.group_info) state.group_info_epoch = convo.head.group_info->epoch;
  for (const auto& [user, row] : convo.members) {
    state.members.add({.user = user,
                       .admin = row.admin,
                       .join_seq = row.join_seq,
                       .left = row.left,
                       .read_seq = row.read_seq,
                       .devices = {row.devices.begin(), row.devices.end()}});
  }
  return state;
}

ConvoView view_of_convo(const core::ConvoId& id, const ConvoRow& convo, const ConvoQuery& query) {
  ConvoView view;
  view.id = id;
  view.group_id = convo.created.group_id;
  view.creator = convo.created.creator;
  view.suite = convo.created.suite;
  view.name = convo.created.name;
  view.epoch = convo.head.epoch;
  view.created_at = convo.created.at;
  view.last_message_at = convo.head.last_message_at;
  for (const auto& [user, row] : convo.members) {
    if (row.left) continue;
    view.members.push_back({user,
                            row.admin,
                            row.joined_at,
                            row.promoted_at,
                            {row.devices.begin(), row.devices.end()}});
  }
  const auto& me = convo.members.at(query.user);
  const auto mine = query.tag ? query.tag(id) : core::SenderTag{};
  // What has expired can no longer be read.
  const core::Seq expired(convo.first_seq.value - 1);
  for (auto seq = std::max({me.read_seq, me.join_seq, expired}).value; seq < convo.rows.size();
       ++seq) {
    const auto& row = convo.rows[seq].row;
    const bool own = row.tag == mine && !mutant("unread_drifts");
    if (row.kind == core::Kind::app && !own) ++view.unread;
  }
  return view;
}

std::unexpected<Error> unavailable() {
  return fail(Errc::storage_unavailable, "the store did not answer");
}

bool reads_fail(const MemoryDisk::Data& data) { return data.read_fails && data.read_fails(); }

/// As the other reads: under the mutex, and failing when they do.
class MemoryReadTables final : public TableReader {
 public:
  explicit MemoryReadTables(MemoryDisk::Data& data) : data_(data), tables_(data) {}
  Result<std::vector<Cells>> select(const TableSpec& table, const Selection& selection) override {
    const std::lock_guard lock(data_.mutex);
    if (reads_fail(data_)) return unavailable();
    return tables_.select(table, selection);
  }
  Result<std::uint64_t> count(const TableSpec& table, const Selection& selection) override {
    const std::lock_guard lock(data_.mutex);
    if (reads_fail(data_)) return unavailable();
    return tables_.count(table, selection);
  }

 private:
  MemoryDisk::Data& data_;
  MemoryTables tables_;
};

class MemoryReader final : public Reader {
 public:
  explicit MemoryReader(MemoryDisk::Data& data) : data_(data), tables_(data) {}

  TableReader& tables() override { return tables_; }

  Result<Loaded> load(const core::ConvoId& convo) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    const auto* row = data_.find(convo);
    if (row == nullptr) return Loaded{};
    Loaded loaded{snapshot_of(*row), row->id, row->head.fence, row->head.version};
    MemoryTables tables(data_);
    if (auto governed = load_governance(tables, convo, loaded.state); !governed) {
      return std::unexpected(governed.error());
    }
    return loaded;
  }

  Result<std::vector<Standing>> standings(std::span<const core::ConvoId> convos) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    std::vector<Standing> found;
    for (const auto& convo : convos) {
      if (const auto* row = data_.find(convo)) {
        found.push_back({convo, row->head.fence, row->head.version});
      }
    }
    return found;
  }

  Result<Keys> load_keys(const core::ConvoId& convo, std::size_t max) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    Keys result;
    const auto* row = data_.find(convo);
    result.complete = true;
    if (row == nullptr) return result;
    for (auto it = row->keys.rbegin(); it != row->keys.rend() && result.complete; ++it) {
      auto key = known(row, *it);
      if (!key) continue;
      result.complete = result.keys.size() < max;
      if (result.complete) result.keys.push_back(std::move(*key));
    }
    return result;
  }

  Result<std::optional<core::KnownKey>> find_key(const core::ConvoId& convo,
                                                 const std::string& key) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    return known(data_.find(convo), key);
  }

  Result<Page> page(const PageQuery& query) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    Page page;
    const auto* convo = data_.find(query.convo);
    if (convo == nullptr) return page;
    page.first_seq = convo->first_seq;
    PageBudget budget(query.rows_max, query.bytes_max);
    for (auto seq = query.after.value; seq < convo->rows.size() && seq < query.until.value; ++seq) {
      const auto& message = convo->rows[seq];
      const bool expired = message.row.seq < convo->first_seq;
      if (expired && message.row.kind != core::Kind::commit) continue;
      if (!budget.take(message.row.bytes->size())) break;
      page.rows.push_back(row_of(query.convo, message));
    }
    return page;
  }

  Result<std::vector<Row>> commits(const CommitQuery& query) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    std::vector<Row> rows;
    const auto* convo = data_.find(query.convo);
    if (convo == nullptr) return rows;
    PageBudget budget(0, query.bytes_max);
    for (const auto& message : convo->rows) {
      const auto& row = message.row;
      if (row.kind != core::Kind::commit || row.epoch < query.from || row.epoch > query.to ||
          row.seq <= query.after || row.seq > query.until) {
        continue;
      }
      if (!budget.take(row.bytes->size())) break;
      rows.push_back(row_of(query.convo, message));
    }
    return rows;
  }

  Result<std::vector<Row>> log(const LogQuery& query) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    const std::set<core::ConvoId> wanted(query.convos.begin(), query.convos.end());
    PageBudget budget(query.rows_max, query.bytes_max);
    std::vector<Row> rows;
    for (auto position = query.after; position < data_.log.size(); ++position) {
      const auto& [convo, seq] = data_.log[position];
      if (!wanted.contains(convo) || seq == no_row) continue;
      const auto& message = data_.convos.at(convo).rows[seq.value - 1];
      if (!budget.take(message.row.bytes->size())) break;
      rows.push_back(row_of(convo, message));
    }
    return rows;
  }

  Result<std::uint64_t> last_position() override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    return data_.log.size();
  }

  Result<std::optional<core::Seq>> seq_of(const core::ConvoId& convo,
                                          const core::MsgId& id) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    const auto* row = data_.find(convo);
    if (row == nullptr || !row->by_id.contains(id)) return std::nullopt;
    return row->by_id.at(id);
  }

  Result<ConvoPage> convos(const ConvoQuery& query) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    ConvoPage page;
    std::size_t bytes = 0;
    auto it = query.after ? data_.convos.upper_bound(*query.after) : data_.convos.begin();
    for (; it != data_.convos.end(); ++it) {
      if (!active_in(it->second, query.user)) continue;
      page.more = query.rows_max != 0 && page.convos.size() >= query.rows_max;
      if (page.more) break;
      auto view = view_of_convo(it->first, it->second, query);
      bytes += json_bytes(view);
      page.more = query.bytes_max != 0 && !page.convos.empty() && bytes > query.bytes_max;
      if (page.more) break;
      page.convos.push_back(std::move(view));
    }
    return page;
  }

  Result<std::vector<Window>> windows(const core::Did& user) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    std::vector<Window> found;
    for (const auto& [id, row] : data_.convos) {
      if (active_in(row, user)) found.push_back({id, row.members.at(user).join_seq});
    }
    return found;
  }

  Result<std::optional<GroupInfoView>> group_info(const core::ConvoId& convo) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    const auto* row = data_.find(convo);
    if (row == nullptr) return std::nullopt;
    return row->head.group_info;
  }

  Result<std::optional<WelcomeView>> welcome(const core::ConvoId& convo, const core::Caller& device,
                                             Timestamp now) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    const auto* row = data_.find(convo);
    if (row == nullptr) return std::nullopt;
    std::vector<WelcomePointer> pointers;
    std::vector<const RecipientRow*> recipients;
    for (const auto& recipient : row->recipients) {
      if (recipient.user != device.user || recipient.gone) continue;
      pointers.push_back(recipient.pointer);
      recipients.push_back(&recipient);
    }
    const auto chosen = choose_welcome(pointers, device.device, now);
    if (!chosen) return std::nullopt;
    if (mutant("welcome_consumed_by_reading")) {
      for (auto& one : data_.find(convo)->recipients) {
        if (&one == recipients[*chosen]) one.pointer.pending = false;
      }
    }
    return WelcomeView{recipients[*chosen]->bytes, recipients[*chosen]->epoch};
  }

  Result<std::vector<KeyPackageFacts>> find_key_packages(const std::vector<Bytes>& ids,
                                                         Timestamp now) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    std::vector<KeyPackageFacts> found;
    for (const auto& id : ids) {
      const auto* entry = data_.find_package(id);
      if (entry == nullptr) continue;
      const auto& row = *entry;
      found.push_back({row.package.ref, row.package.hash, row.user, row.state.device,
                       row.package.suite, row.state.last_resort, row.consumed_at.has_value(),
                       row.state.reserved_at(now) ? row.state.reserved_by : std::nullopt});
    }
    return found;
  }

  Result<std::vector<PackageView>> packages(const PackageQuery& query) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    std::vector<PackageView> views;
    for (const auto& [id, row] : std::views::reverse(data_.packages)) {
      const bool wanted = row.user == query.user && !row.gone &&
                          row.consumed_at.has_value() == query.used &&
                          (query.used || row.state.not_after > query.now) &&
                          (!query.device || row.state.device == *query.device) &&
                          id < query.below.value_or(INT64_MAX);
      if (!wanted) continue;
      if (query.rows_max != 0 && views.size() == query.rows_max) break;
      views.push_back({id, row.package.hash, row.state.device, row.package.suite,
                       row.state.last_resort, row.state.reserved_at(query.now), row.published_at,
                       row.consumed_at});
    }
    return views;
  }

  Result<std::vector<SuiteStats>> key_package_stats(const core::Did& user, Timestamp now) override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    std::map<std::uint16_t, SuiteStats> suites;
    for (const auto& [id, row] : data_.packages) {
      if (row.user == user && !row.gone) count(suites[row.package.suite], row, now);
    }
    std::vector<SuiteStats> stats;
    for (auto& [suite, one] : suites) {
      one.suite = suite;
      stats.push_back(one);
    }
    return stats;
  }

  Result<void> ping() override {
    const std::lock_guard lock(data_.mutex);
    if (failing()) return unavailable();
    return {};
  }

 private:
  bool failing() const { return reads_fail(data_); }
  static bool active_in(const ConvoRow& convo, const core::Did& user) {
    auto it = convo.members.find(user);
    return it != convo.members.end() && !it->second.left;
  }

  std::optional<core::KnownKey> known(const ConvoRow* convo, const std::string& name) const {
    const auto parsed = parse_key(name);
    if (!parsed) return std::nullopt;
    if (!parsed->id) {
      auto it = data_.requests.find(name);
      if (it == data_.requests.end() || it->second.gone) return std::nullopt;
      return core::KnownKey{name, it->second.payload, {}, it->second.outcome};
    }
    if (convo == nullptr || !convo->by_id.contains(*parsed->id)) return std::nullopt;
    const auto& row = convo->rows[convo->by_id.at(*parsed->id).value - 1].row;
    if (row.kind == core::Kind::commit) return std::nullopt;  // the id is ours, not a client's
    return core::KnownKey{name, {}, row.tag, {row.seq, row.epoch, row.at, {}}};
  }

  static void count(SuiteStats& stats, const PackageRow& row, Timestamp now) {
    ++stats.total;
    if (row.consumed_at) {
      const auto age = now.value - row.consumed_at->value;
      ++stats.consumed;
      if (age < day_ms) ++stats.consumed_24h;
      if (age < 7 * day_ms) ++stats.consumed_7d;
      return;
    }
    if (row.state.not_after <= now) return;
    if (row.state.reserved_at(now)) {
      ++stats.reserved;
      return;
    }
    ++stats.available;
    const auto expiry = row.state.not_after;
    stats.oldest_expiry = std::min(stats.oldest_expiry.value_or(expiry), expiry);
  }

  MemoryDisk::Data& data_;
  MemoryReadTables tables_;
};

}  // namespace

std::unique_ptr<Reader> make_reader(MemoryDisk::Data& data) {
  return std::make_unique<MemoryReader>(data);
}

}  // namespace catbird::storage::memory
