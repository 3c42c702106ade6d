// SPDX-License-Identifier: MIT
#include "support/postgres.hpp"

#include <libpq-fe.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <memory>

namespace catbird::test {

namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "PostgreSQL for tests: " << why << "\n";
  std::abort();
}

std::string server_url() {
  const char* url = std::getenv("CATBIRD_TEST_POSTGRES");
  if (url == nullptr) {
    give_up("set CATBIRD_TEST_POSTGRES to the URL that `script/postgres start DIR` prints");
  }
  return url;
}

std::string ask_at(const std::string& url, const std::string& sql) {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(url.c_str()),
                                                                &PQfinish);
  if (PQstatus(connection.get()) != CONNECTION_OK) give_up(PQerrorMessage(connection.get()));
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()),
                                                             &PQclear);
  const auto status = PQresultStatus(result.get());
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    give_up(PQresultErrorMessage(result.get()));
  }
  return PQntuples(result.get()) > 0 ? PQgetvalue(result.get(), 0, 0) : "";
}

}  // namespace

PostgresDatabase::PostgresDatabase() {
  static std::atomic<int> count{0};
  name_ = "test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
  const auto server = server_url();
  ask_at(server, "CREATE DATABASE " + name_ + " TEMPLATE template0");
  url_ = server.substr(0, server.rfind('/') + 1) + name_;
}

PostgresDatabase::~PostgresDatabase() {
  ask_at(server_url(), "DROP DATABASE " + name_ + " WITH (FORCE)");
}

std::string PostgresDatabase::url_as(const std::string& role) const {
  const auto from = url_.find("//") + 2;
  return url_.substr(0, from) + role + url_.substr(url_.find('@', from));
}

void PostgresDatabase::run(const std::string& sql) const { ask_at(url_, sql); }

std::string PostgresDatabase::ask(const std::string& sql) const { return ask_at(url_, sql); }

}  // namespace catbird::test
