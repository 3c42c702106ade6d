// SPDX-License-Identifier: MIT
#pragma once

#include "bench/ledger.hpp"
#include "bench/process.hpp"
#include "bench/traffic.hpp"

#include <memory>
#include <string>
#include <vector>

namespace catbird::bench {

struct Options {
  std::string server;    // the release binary
  std::string postgres;  // script/postgres
  std::string shim;      // commit_delay_shim
  std::string json;
  std::string only;                // a part: axes, overload, memory or stress; empty: all
  std::vector<std::string> cells;  // of the axes, by their ids; empty: all
  Variables variables;             // of every server, over what the bench sets
  bool quick = false;
};

/// How much of everything: --quick finds what is broken, the whole run measures.
struct Sizes {
  std::size_t repetitions;
  double cell_seconds;       // of one repetition of one cell
  std::size_t large_convos;  // of 100 and of 1,000 members each
  std::size_t many_convos;   // "100,000 conversations"
  std::size_t long_history;  // "1 M messages", over 1,000 conversations
  std::size_t idle_rows;     // of each of the many, where start and memory are measured
  double open_seconds;       // of one repetition of an open loop
  double sustained_seconds;
  std::size_t idle_seconds;  // until an unused actor leaves memory

  static Sizes whole() { return {5, 1.0, 1'000, 100'000, 1'000'000, 10, 6, 600, 45}; }
  static Sizes quick() { return {5, 0.2, 200, 10'000, 50'000, 10, 2, 15, 15}; }
};

/// A server, its database, and what it acknowledged.
struct Host {
  std::string name;
  std::string database;
  std::unique_ptr<Server> server;
  Ledger ledger{};
  const Postgres* postgres = nullptr;  // null: SQLite
};

/// What all measurements share: the scratch folder, PostgreSQL, the signer of tokens, the servers.
class World {
 public:
  explicit World(const Options& options);

  const Options options;
  const Sizes sizes;
  Folder folder;
  Traffic traffic;

  /// The run's own PostgreSQL.
  Postgres& postgres();
  /// Makes the database `name` there and seeds it.
  std::string make_postgres(const std::string& name, const std::vector<Group>& groups);
  std::string make_sqlite(const std::string& name, const std::vector<Group>& groups);
  /// A server that is not started yet. `variables` over the usual ones.
  Host make_host(const std::string& name, const std::string& database,
                 const Variables& variables = {});

  bool is_postgres(const std::string& database) const { return database.starts_with("postgres"); }

 private:
  DidDirectory directory_;
  std::unique_ptr<Postgres> postgres_;
};

/// For whoever waits: one line with the time since the start.
void say(const std::string& what);
double median(std::vector<double> values);

}  // namespace catbird::bench
