// SPDX-License-Identifier: MIT
#pragma once

#include "storage/postgres/connector.hpp"
#include "storage/postgres/convo_row.hpp"
#include "storage/postgres/tables.hpp"
#include "storage/reader.hpp"
#include "storage/rules.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace catbird::storage::postgres {

/// A connection of its own. Every call is one statement, or several in one read-only REPEATABLE
/// READ transaction and one round trip: one state. A lost connection is made anew once per call:
/// reads may be repeated.
class PostgresReader final : public Reader {
 public:
  explicit PostgresReader(Connector connector)
      : connector_(std::move(connector)), tables_(table_reader()) {}
  /// On the lane's connection, inside its open transaction: load() locks the conversation's row,
  /// so that what is decided on it stays true until the transaction ends. `writer` outlives this.
  explicit PostgresReader(Connection& writer) : writer_(&writer), tables_(table_reader()) {}

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
  /// Runs `calls` as one state and gives their rows; the connection they came over is db().
  Result<std::vector<Rows>> read(std::vector<Call> calls);
  Result<Rows> read_one(const char* sql, Params params);
  PostgresTableReader table_reader() {
    return {[this](const char* sql, Params params) { return read_one(sql, std::move(params)); },
            [this](std::string_view table) { return db().corrupt(table); }};
  }
  /// The first statement of a read of several round trips.
  const char* opening() const;
  Connection& db() { return *db_; }
  Result<Page> page_from_expired(const PageQuery& query, PageBudget& budget);
  Result<void> add_page(const PageQuery& query, const Rows& found, PageBudget& budget,
                        std::vector<Row>& out);
  Result<bool> add_commits(const core::ConvoId& convo, const Rows& found, PageBudget& budget,
                           std::vector<Row>& out);
  Result<std::vector<ConvoView>> views_of(const std::vector<ConvoRow>& convos,
                                          const ConvoQuery& query);
  Result<ConvoView> view_of(const ConvoRow& row, const std::vector<MemberRow>& members,
                            std::vector<DeviceRow>& devices);
  Result<void> add_unread(const std::vector<ConvoRow>& convos, const std::vector<core::Seq>& read,
                          const ConvoQuery& query, std::vector<ConvoView>& views);
  Result<Blob> blob_of(std::string_view table, const Rows& rows);

  std::optional<Connector> connector_;
  Connection* writer_ = nullptr;
  Connection* db_ = nullptr;
  PostgresReadTables tables_;
};

/// Several reads of one state: begun with PostgresReader::opening(), ended here. Inside the lane's
/// transaction there is nothing to begin, and nothing to end.
class ListScope {
 public:
  ListScope(Connection& connection, bool own) : db_(connection), own_(own) {}
  ~ListScope();
  ListScope(const ListScope&) = delete;
  ListScope& operator=(const ListScope&) = delete;

 private:
  Connection& db_;
  bool own_;
};

}  // namespace catbird::storage::postgres
