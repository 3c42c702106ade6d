// SPDX-License-Identifier: MIT
#include "bench/world.hpp"

#include "bench/seed.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>
#include <stdexcept>

namespace catbird::bench {

namespace {
constexpr std::size_t secret_bytes = 32;
const std::string aud = "did:web:localhost";

std::string fresh_secret() {
  std::random_device random;
  Bytes bytes(secret_bytes);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return to_hex(bytes);
}

}  // namespace

World::World(const Options& given)
    : options(given),
      sizes(given.quick ? Sizes::quick() : Sizes::whole()),
      traffic(fresh_secret(), aud),
      directory_(traffic.es256k_key().multikey()) {
  // The servers' own secret, which a database that exists must have.
  std::ofstream(folder.file("secret")) << fresh_secret() << "\n";
}

Postgres& World::postgres() {
  if (!postgres_) postgres_ = std::make_unique<Postgres>(options.postgres, folder.file("postgres"));
  return *postgres_;
}

std::string World::make_postgres(const std::string& name, const std::vector<Group>& groups) {
  const auto database = "bench_" + name;
  auto url = postgres().create(database);
  seed(*open_stores(url), groups);
  postgres().settle(database);
  say("seeded " + name);
  return url;
}

std::string World::make_sqlite(const std::string& name, const std::vector<Group>& groups) {
  const auto path = folder.file(name + "/catbird.db");
  seed(*open_stores("sqlite:" + path), groups);
  say("seeded " + name);
  return "sqlite:" + path;
}

Host World::make_host(const std::string& name, const std::string& database,
                      const Variables& variables) {
  const auto home = folder.file(name);
  Variables all = options.variables;
  all.insert(variables.begin(), variables.end());
  all.insert({{"CATBIRD_DEV", "true"},
              {"JWT_SECRET", traffic.secret()},
              {"SERVICE_DID", traffic.aud()},
              {"PLC_DIRECTORY_URL", directory_.url()},
              {"DATABASE_URL", database},
              {"CATBIRD_SECRET_FILE", folder.file("secret")},
              {"MAX_CONNECTIONS", "20000"}});
  for (const auto* limit :
       {"SEND_MESSAGE", "GET_MESSAGES", "READ_STATE", "PUBLISH_KEY_PACKAGE", "CLAIM_KEY_PACKAGE",
        "ADD_MEMBERS", "CREATE_CONVO", "REGISTER_DEVICE", "SYNC_KEY_PACKAGES", "REPORT_MEMBER",
        "CHECK_BLOCKS", "EXTERNAL_COMMIT", "DID_DEFAULT"}) {
    all.insert({fmt::format("RATE_LIMIT_{}", limit), "0"});
  }
  if (is_postgres(database)) all.insert({"DATABASE_EXCLUSIVE", "true"});
  std::filesystem::create_directories(home);
  return {name,
          database,
          std::make_unique<Server>(options.server, home, std::move(all)),
          {},
          is_postgres(database) ? postgres_.get() : nullptr};
}

void say(const std::string& what) {
  static const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> since = std::chrono::steady_clock::now() - start;
  fmt::print(stderr, "[{:6.1f} s] {}\n", since.count(), what);
}

double median(std::vector<double> values) {
  if (values.empty()) throw std::logic_error("the median of nothing");
  std::ranges::sort(values);
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace catbird::bench
