// SPDX-License-Identifier: MIT
#pragma once

#include "storage/reader.hpp"
#include "storage/rules.hpp"
#include "storage/sqlite/convo_row.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/tables.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace catbird::storage::sqlite {

/// A connection of its own; every call is one read transaction, so that what it puts together from
/// several statements is one state.
class SqliteReader final : public Reader {
 public:
  explicit SqliteReader(std::unique_ptr<Database> database)
      : owned_(std::move(database)), db_(owned_.get()), tables_(*db_) {}
  /// On the writer's own connection: sees its open transaction. `writer` outlives this.
  explicit SqliteReader(Database& writer) : db_(&writer), tables_(writer) {}

  TableReader& tables() override { return tables_; }

  Result<Loaded> load(const core::ConvoId& convo) override;
  Result<Keys> load_keys(const core::ConvoId& convo, std::size_t max) override;
  Result<std::optional<core::KnownKey>> find_key(const core::ConvoId& convo,
                                                 const std::string& key) override;
  Result<Page> page(const PageQuery& query) override;
  Result<std::vector<Row>> commits(const CommitQuery& query) override;
  Result<std::vector<Row>> log(const LogQuery& query) override;
  Result<std::uint64_t> last_position() override;
  Result<std::optional<core::Seq>> seq_of(const core::ConvoId& convo,
                                          const core::MsgId& id) override;
  Result<ConvoPage> convos(const ConvoQuery& query) override;
  Result<std::vector<Window>> windows(const core::Did& user) override;
  Result<std::optional<GroupInfoView>> group_info(const core::ConvoId& convo) override;
  Result<std::optional<WelcomeView>> welcome(const core::ConvoId& convo, const core::Caller& device,
                                             Timestamp now) override;
  Result<std::vector<KeyPackageFacts>> find_key_packages(const std::vector<Bytes>& ids,
                                                         Timestamp now) override;
  Result<std::vector<SuiteStats>> key_package_stats(const core::Did& user, Timestamp now) override;
  Result<std::vector<PackageView>> packages(const PackageQuery& query) override;
  Result<std::vector<Standing>> standings(std::span<const core::ConvoId> convos) override;
  Result<void> ping() override;

 private:
  Result<ConvoView> view(RowHandle id, const ConvoQuery& query);
  Result<std::uint64_t> unread(const ConvoRow& convo, const MemberRow& me,
                               const core::SenderTag& mine);
  Result<bool> add_commits(const CommitQuery& query, RowHandle convo, PageBudget& budget,
                           std::vector<Row>& rows);
  /// A row of the log still without its bytes.
  struct Place {
    std::uint64_t position = 0;
    const core::ConvoId* convo = nullptr;
  };
  Result<void> find_places(const core::ConvoId& convo, const LogQuery& query,
                           std::vector<Place>& places);
  Result<std::uint64_t> position_at(RowHandle convo, std::uint64_t seq);

  std::unique_ptr<Database> owned_;
  Database* db_;
  SqliteTables tables_;
};

/// The scope of a read transaction. The snapshot is taken by the first statement after it. Inside
/// the writer's open transaction there is nothing to begin, and nothing to end.
class ReadScope {
 public:
  explicit ReadScope(Database& database) {
    if (sqlite3_get_autocommit(database.handle()) == 0) return;
    begun_ = database.run("BEGIN");
    rollback_.emplace(database);
  }
  const Result<void>& begun() const { return begun_; }

 private:
  Result<void> begun_{};
  std::optional<Rollback> rollback_;
};

}  // namespace catbird::storage::sqlite
