// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace catbird::test {

/// A new, empty database on the tests' own PostgreSQL server; dropped at the end. The server's URL
/// is CATBIRD_TEST_POSTGRES, which CTest's fixture and script/test set: without it the program
/// ends, because a test that needs a database and has none has failed.
class PostgresDatabase {
 public:
  PostgresDatabase();
  ~PostgresDatabase();
  PostgresDatabase(const PostgresDatabase&) = delete;
  PostgresDatabase& operator=(const PostgresDatabase&) = delete;

  const std::string& url() const { return url_; }
  /// The same database as another role.
  std::string url_as(const std::string& role) const;
  /// Runs SQL as the superuser; ends the program if it fails.
  void run(const std::string& sql) const;
  /// The first column of the first row.
  std::string ask(const std::string& sql) const;

 private:
  std::string name_;
  std::string url_;
};

}  // namespace catbird::test
