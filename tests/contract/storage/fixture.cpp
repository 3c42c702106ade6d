// SPDX-License-Identifier: MIT
#include "contract/storage/fixture.hpp"

#include "storage/memory/memory_store.hpp"
#include "storage/postgres/postgres_store.hpp"
#include "storage/sqlite/sqlite_store.hpp"
#include "support/postgres.hpp"

#include <algorithm>
#include <cstdlib>

namespace catbird::storage {

namespace {

class MemoryBackend final : public Backend {
 public:
  Stores& stores() override { return *stores_; }
  void reopen() override {
    stores_.reset();
    disk_.crash();
    stores_ = open_memory(disk_);
  }

 private:
  MemoryDisk disk_;
  std::unique_ptr<Stores> stores_ = open_memory(disk_);
};

class SqliteBackend final : public Backend {
 public:
  SqliteBackend() { open(); }
  Stores& stores() override { return *stores_; }
  void reopen() override {
    stores_.reset();
    open();
  }

 private:
  void open() {
    auto opened = open_sqlite({.path = dir_.file("catbird.db"), .on_fatal = {}});
    if (!opened) {
      ADD_FAILURE() << opened.error().detail;
      std::abort();
    }
    stores_ = std::move(*opened);
  }

  TempDir dir_;
  std::unique_ptr<Stores> stores_;
};

class PostgresBackend final : public Backend {
 public:
  PostgresBackend() { open(); }
  Stores& stores() override { return *stores_; }
  void reopen() override {
    stores_.reset();
    open();
  }

 private:
  void open() {
    auto opened = open_postgres({.url = database_.url()});
    if (!opened) {
      ADD_FAILURE() << opened.error().detail;
      std::abort();
    }
    stores_ = std::move(*opened);
  }

  test::PostgresDatabase database_;
  std::unique_ptr<Stores> stores_;
};

}  // namespace

std::vector<BackendCase> all_backends() {
  return {
      {"memory", []() -> std::unique_ptr<Backend> { return std::make_unique<MemoryBackend>(); }},
      {"sqlite", []() -> std::unique_ptr<Backend> { return std::make_unique<SqliteBackend>(); }},
      {"postgres",
       []() -> std::unique_ptr<Backend> { return std::make_unique<PostgresBackend>(); }},
  };
}

Bytes id32(const std::string& text) {
  Bytes bytes(text.begin(), text.end());
  bytes.resize(32, 0);
  return bytes;
}

core::SenderTag tag_of(const core::Did& user) {
  core::SenderTag tag{};
  std::ranges::copy_n(user.value.rbegin(), std::min<std::ptrdiff_t>(16, std::ssize(user.value)),
                      tag.begin());
  return tag;
}

Script::Script(std::string name, core::Fence ours) : id(std::move(name)), fence(ours) {}

WriteSet Script::create(std::vector<core::Did> others, core::Epoch first) {
  std::vector<core::Event> events;
  events.emplace_back(core::ConvoCreated{.group_id = id32(id.value),
                                         .creator = alice,
                                         .suite = 1,
                                         .name = "a name",
                                         .epoch = first,
                                         .at = start});
  events.emplace_back(core::MemberAdded{alice, true, core::Seq(0), start});
  for (const auto& user : others) {
    events.emplace_back(core::MemberAdded{user, false, core::Seq(0), start});
  }
  epoch = first;
  auto out = set(std::move(events));
  out.creates = true;
  return out;
}

WriteSet Script::set(std::vector<core::Event> events) const {
  WriteSet out;
  out.convo = id;
  out.row = row_;
  out.seen = seen;
  out.fence = fence;
  out.version = version;
  out.last_seq = last_seq;
  out.epoch = epoch;
  out.new_last_seq = last_seq;
  out.new_epoch = epoch;
  for (const auto& event : events) {
    const auto* row = std::get_if<core::RowAppended>(&event);
    if (row == nullptr) continue;
    out.new_last_seq = row->seq;
    out.new_epoch = row->epoch;
  }
  out.events = std::move(events);
  return out;
}

core::Event Script::row(core::Kind kind, const std::string& name, const core::Did& sender,
                        const std::string& body) const {
  const bool commits = kind == core::Kind::commit;
  core::RowAppended row{.seq = core::Seq(last_seq.value + 1),
                        .epoch = core::Epoch(epoch.value + (commits ? 1 : 0)),
                        .kind = kind,
                        .id = core::MsgId(name),
                        .tag = tag_of(sender),
                        .committer = {},
                        .base = std::nullopt,
                        .at = after(static_cast<std::int64_t>(last_seq.value) * 2000),
                        .bytes = blob(body)};
  if (commits) {
    row.base = epoch;
    row.committer = sender;
  }
  return row;
}

WriteSet Script::message(const std::string& name, const core::Did& sender,
                         const std::string& body) const {
  return set({row(core::Kind::app, name, sender, body)});
}

WriteSet Script::commit(const std::string& name, std::vector<core::Event> more) const {
  std::vector<core::Event> events{row(core::Kind::commit, name)};
  for (auto& event : more) events.push_back(std::move(event));
  return set(std::move(events));
}

void Script::follow(const WriteSet& set) {
  seen = set.fence;
  version = core::Version(set.version.value + 1);
  last_seq = set.new_last_seq;
  epoch = set.new_epoch;
}

Reader& StorageContract::reader() {
  if (!reader_) reader_ = std::move(*stores().open_reader());
  return *reader_;
}

void StorageContract::reopen() {
  reader_.reset();
  backend_->reopen();
}

WriteResult StorageContract::write(Script& script, const WriteSet& set) {
  auto result = commit({set});
  EXPECT_EQ(result.sets.at(0).status, CommitStatus::committed) << result.sets.at(0).error.detail;
  script.follow(set);
  script.note(result.sets.at(0));
  return result.sets.at(0);
}

std::vector<std::string> StorageContract::ids(const std::vector<Row>& rows) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row.id.value);
  return out;
}

}  // namespace catbird::storage
