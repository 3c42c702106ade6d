// SPDX-License-Identifier: MIT
#pragma once

#include "storage/cleaner.hpp"
#include "storage/postgres/connector.hpp"

namespace catbird::storage::postgres {

/// On a connection of its own, so that it may be another role's (docs/postgresql.md) and never
/// holds up the lanes: a step locks one conversation's row and never the log.
class PostgresCleaner : public Cleaner {
 public:
  explicit PostgresCleaner(Connector connector) : connector_(std::move(connector)) {}

  Result<Expired> expire_messages(Timestamp before, RowHandle after) override;
  Result<std::uint64_t> forget_requests(Timestamp before) override;
  Result<std::uint64_t> drop_welcomes(Timestamp before) override;
  Result<std::uint64_t> drop_key_packages(Timestamp now) override;

 private:
  Result<std::uint64_t> expire(Connection& db, RowHandle convo, Timestamp before);
  Result<std::uint64_t> run(const char* sql, Timestamp before);

  Connector connector_;
};

}  // namespace catbird::storage::postgres
