// SPDX-License-Identifier: MIT
#include "app/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace catbird::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Variables = std::map<std::string, std::string>;
using xrpc::RateClass;

Result<Config> read(Variables variables) {
  variables.try_emplace("SERVICE_DID", "did:web:mls.example.org");
  return read_config([&](std::string_view name) -> std::optional<std::string> {
    auto it = variables.find(std::string(name));
    if (it == variables.end()) return std::nullopt;
    return it->second;
  });
}
Config good(Variables variables) {
  auto config = read(std::move(variables));
  EXPECT_TRUE(config.has_value()) << config.error().detail;
  return config ? std::move(*config) : Config{};
}
std::string refusal(Variables variables) {
  const auto config = read(std::move(variables));
  if (config) return "accepted";
  EXPECT_EQ(config.error().detail.find('\n'), std::string::npos);
  return config.error().detail;
}

TEST(ReadConfig, has_a_default_for_all_but_the_service_did) {
  const auto config = good({});

  EXPECT_EQ(config.sqlite_path, "data/catbird.db");
  EXPECT_EQ(config.secret_path, "data/catbird.db.secret");
  EXPECT_EQ(config.journal_path, "data/catbird.db.tokens");
  EXPECT_EQ(config.service_did, "did:web:mls.example.org");
  EXPECT_EQ(config.plc_directory_url, "https://plc.directory");
  EXPECT_EQ(config.did_deadline, std::chrono::seconds(3));
  EXPECT_FALSE(config.development);
  EXPECT_EQ(config.jwt_secret, "");
  EXPECT_EQ(config.log_directives, "info");
  EXPECT_EQ(config.server.host, "127.0.0.1");
  EXPECT_EQ(config.server.port, 3000);
  EXPECT_THAT(config.server.trusted_proxy_cidrs, IsEmpty());
  EXPECT_EQ(config.ip_per_minute, 0U);
  EXPECT_TRUE(config.metrics);
  EXPECT_EQ(config.metrics_token, "");
  EXPECT_FALSE(config.convo_labels);
  EXPECT_EQ(config.stream_events_max, 5000U);
  EXPECT_EQ(config.actor_idle_timeout, std::chrono::seconds(3600));
  EXPECT_EQ(config.workers, 0U);
  EXPECT_EQ(config.readers, 2U);
  EXPECT_THAT(config.remarks, IsEmpty());
}

TEST(ReadConfig, requires_a_service_did_outside_development) {
  EXPECT_THAT(refusal({{"SERVICE_DID", ""}}), HasSubstr("SERVICE_DID is required"));
  EXPECT_EQ(refusal({{"SERVICE_DID", "mls.example.org"}}),
            "SERVICE_DID is not a did:web or did:plc");
  EXPECT_EQ(good({{"SERVICE_DID", ""}, {"CATBIRD_DEV", "true"}}).service_did, "did:web:localhost");
}

TEST(ReadConfig, finds_the_database) {
  EXPECT_EQ(good({{"DATABASE_URL", "sqlite:/var/lib/x.db"}}).sqlite_path, "/var/lib/x.db");
  EXPECT_EQ(good({{"DATABASE_URL", "sqlite:///var/lib/x.db"}}).sqlite_path, "/var/lib/x.db");
  const auto config = good({{"DATABASE_URL", "sqlite:x.db"}});
  EXPECT_EQ(config.sqlite_path, "x.db");
  EXPECT_EQ(config.secret_path, "x.db.secret");
  EXPECT_EQ(config.journal_path, "x.db.tokens");
  EXPECT_EQ(good({{"CATBIRD_SECRET_FILE", "/run/secret"}}).secret_path, "/run/secret");
}

TEST(ReadConfig, refuses_databases_it_does_not_have) {
  EXPECT_THAT(refusal({{"DATABASE_URL", "postgres:x"}}), HasSubstr("must be sqlite:PATH"));
  EXPECT_THAT(refusal({{"DATABASE_URL", "mysql://x"}}), HasSubstr("must be sqlite:PATH"));
  EXPECT_THAT(refusal({{"DATABASE_URL", "sqlite:"}}), HasSubstr("has no path"));
}

TEST(ReadConfig, takes_postgresql_with_its_lanes) {
  for (const auto* url : {"postgres://db/catbird", "postgresql://db/catbird"}) {
    const auto config = good({{"DATABASE_URL", url}});
    EXPECT_EQ(config.postgres_url, url);
    EXPECT_EQ(config.database_lanes, 1U);
    EXPECT_FALSE(config.database_exclusive);
    EXPECT_EQ(config.secret_path, "data/catbird.secret");
    EXPECT_EQ(config.journal_path, "data/catbird.tokens");
  }
  const auto config = good({{"DATABASE_URL", "postgresql://db/catbird"},
                            {"DATABASE_LANES", "4"},
                            {"DATABASE_EXCLUSIVE", "true"},
                            {"CATBIRD_TOKEN_JOURNAL", "here.tokens"}});
  EXPECT_EQ(config.database_lanes, 4U);
  EXPECT_TRUE(config.database_exclusive);
  EXPECT_EQ(config.journal_path, "here.tokens");
  for (const auto* lanes : {"0", "5", "x"}) {
    EXPECT_THAT(refusal({{"DATABASE_URL", "postgresql://db/c"}, {"DATABASE_LANES", lanes}}),
                HasSubstr("DATABASE_LANES must be a whole number from 1 to 4"));
  }
}

TEST(ReadConfig, never_says_what_is_in_a_url_or_secret) {
  EXPECT_THAT(refusal({{"DATABASE_URL", "postgres:u:hunter2@h"}}),
              ::testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(refusal({{"CATBIRD_DEV", "true"}, {"JWT_SECRET", "hunter2"}}),
              ::testing::Not(HasSubstr("hunter2")));
}

TEST(ReadConfig, knows_the_actor_switch_in_all_its_forms) {
  EXPECT_TRUE(good({}).actors);
  for (const auto* on : {"true", "1"}) EXPECT_TRUE(good({{"ENABLE_ACTOR_SYSTEM", on}}).actors);
  // An empty value is off, unlike an absent variable.
  for (const auto* off : {"false", "0", ""}) {
    EXPECT_FALSE(good({{"ENABLE_ACTOR_SYSTEM", off}}).actors) << off;
  }
  for (const auto* odd : {"yes", "TRUE", "2"}) {
    EXPECT_THAT(refusal({{"ENABLE_ACTOR_SYSTEM", odd}}), HasSubstr("must be true, 1, false or 0"));
  }
}

TEST(ReadConfig, uses_a_jwt_secret_in_development_only) {
  const std::string secret(32, 's');

  const auto production = good({{"JWT_SECRET", secret}});
  const auto development = good({{"JWT_SECRET", secret}, {"CATBIRD_DEV", "1"}});

  EXPECT_EQ(production.jwt_secret, "");
  EXPECT_THAT(production.remarks, ElementsAre(HasSubstr("JWT_SECRET is not used")));
  EXPECT_EQ(development.jwt_secret, secret);
  EXPECT_THAT(development.remarks, IsEmpty());
  EXPECT_EQ(refusal({{"JWT_SECRET", std::string(31, 's')}, {"CATBIRD_DEV", "1"}}),
            "JWT_SECRET must have at least 32 bytes");
}

TEST(ReadConfig, refuses_to_switch_guards_off) {
  EXPECT_THAT(refusal({{"ENFORCE_LXM", "false"}}), HasSubstr("ENFORCE_LXM=false is not possible"));
  EXPECT_THAT(refusal({{"ENFORCE_JTI", "0"}}), HasSubstr("ENFORCE_JTI"));
  EXPECT_THAT(refusal({{"ENABLE_DIRECT_XRPC_PROXY", "true"}}), HasSubstr("not supported"));
  EXPECT_EQ(
      refusal(
          {{"ENFORCE_LXM", "true"}, {"ENFORCE_JTI", "1"}, {"ENABLE_DIRECT_XRPC_PROXY", "false"}}),
      "accepted");
}

TEST(ReadConfig, remarks_on_what_it_takes_and_does_not_use) {
  EXPECT_THAT(good({{"JTI_TTL_SECONDS", "120"}, {"REDIS_URL", "redis://x"}}).remarks,
              ElementsAre(HasSubstr("JTI_TTL_SECONDS is ignored"), HasSubstr("REDIS_URL")));
}

TEST(ReadConfig, sets_each_rate_and_no_other) {
  const std::map<std::string, RateClass> names{
      {"RATE_LIMIT_SEND_MESSAGE", RateClass::send_message},
      {"RATE_LIMIT_GET_MESSAGES", RateClass::get_messages},
      {"RATE_LIMIT_READ_STATE", RateClass::read_state},
      {"RATE_LIMIT_PUBLISH_KEY_PACKAGE", RateClass::publish_key_package},
      {"RATE_LIMIT_CLAIM_KEY_PACKAGE", RateClass::claim_key_package},
      {"RATE_LIMIT_ADD_MEMBERS", RateClass::add_members},
      {"RATE_LIMIT_CREATE_CONVO", RateClass::create_convo},
      {"RATE_LIMIT_CHECK_BLOCKS", RateClass::check_blocks},
      {"RATE_LIMIT_DID_DEFAULT", RateClass::other},
  };
  for (const auto& [name, kind] : names) {
    auto expected = xrpc::RateLimits{}.per_minute;
    expected[static_cast<std::size_t>(kind)] = 17;

    EXPECT_EQ(good({{name, "17"}}).rates.per_minute, expected) << name;
    EXPECT_EQ(good({{name, "0"}}).rates.per_minute[static_cast<std::size_t>(kind)], 0U) << name;
  }
}

TEST(ReadConfig, reads_blocks_where_a_directory_knows_the_users) {
  EXPECT_TRUE(good({}).block_checks);
  EXPECT_FALSE(good({{"CATBIRD_DEV", "true"}}).block_checks);
  EXPECT_TRUE(
      good({{"CATBIRD_DEV", "true"}, {"PLC_DIRECTORY_URL", "http://localhost:2582"}}).block_checks);
  EXPECT_FALSE(good({{"ENABLE_BLOCK_CHECKS", "false"}}).block_checks);
}

TEST(ReadConfig, reads_the_limit_of_external_commits) {
  EXPECT_EQ(good({}).rates.rejoins.storm_max, 5U);
  EXPECT_EQ(good({{"RATE_LIMIT_EXTERNAL_COMMIT", "0"}}).rates.rejoins.storm_max, 0U);
}

TEST(ReadConfig, reads_every_other_variable) {
  const auto config = good({{"SERVICE_ENDPOINT", "https://e.example"},
                            {"PLC_DIRECTORY_URL", "http://plc.internal:2582//"},
                            {"DID_RESOLUTION_HOST_ALLOWLIST", "a.example, b.example,,"},
                            {"DID_RESOLUTION_TIMEOUT_SECONDS", "7"},
                            {"RATE_LIMIT_DID_MAX_KEYS", "5000"},
                            {"RATE_LIMIT_DID_BUCKET_TTL_SECONDS", "60"},
                            {"RATE_LIMIT_IP_PER_MINUTE", "600"},
                            {"SSE_BUFFER_SIZE", "10"},
                            {"MAX_CONNECTIONS", "11"},
                            {"RUST_LOG", "debug"},
                            {"SERVER_HOST", "0.0.0.0"},
                            {"SERVER_PORT", "8080"},
                            {"TRUSTED_PROXY_CIDRS", "10.0.0.0/8,::1/128"},
                            {"ENABLE_METRICS", "false"},
                            {"METRICS_TOKEN", "token"},
                            {"METRICS_CONVO_LABELS", "yes"},
                            {"ACTOR_IDLE_TIMEOUT_SECONDS", "5"},
                            {"ACTOR_MEMORY_MB", "16"},
                            {"CATBIRD_WORKERS", "3"},
                            {"CATBIRD_READERS", "4"}});

  EXPECT_EQ(config.public_endpoint, "https://e.example");
  EXPECT_EQ(config.plc_directory_url, "http://plc.internal:2582");
  EXPECT_THAT(config.did_host_allowlist, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(config.did_deadline, std::chrono::seconds(7));
  EXPECT_EQ(config.rates.keys_max, 5000U);
  EXPECT_EQ(config.rates.bucket_ttl, std::chrono::seconds(60));
  EXPECT_EQ(config.ip_per_minute, 600U);
  EXPECT_EQ(config.stream_events_max, 10U);
  EXPECT_EQ(config.server.limits.connections_max, 11U);
  EXPECT_EQ(config.log_directives, "debug");
  EXPECT_EQ(config.server.host, "0.0.0.0");
  EXPECT_EQ(config.server.port, 8080);
  EXPECT_THAT(config.server.trusted_proxy_cidrs, ElementsAre("10.0.0.0/8", "::1/128"));
  EXPECT_FALSE(config.metrics);
  EXPECT_EQ(config.metrics_token, "token");
  EXPECT_TRUE(config.convo_labels);
  EXPECT_EQ(config.actor_idle_timeout, std::chrono::seconds(5));
  EXPECT_EQ(config.actor_bytes_max, std::size_t{16} * 1024 * 1024);
  EXPECT_EQ(config.workers, 3U);
  EXPECT_EQ(config.readers, 4U);
}

TEST(ReadConfig, names_the_number_that_is_none_and_its_bounds) {
  const std::map<std::string, std::string> bounds{
      {"SERVER_PORT", "0 to 65535"},
      {"DID_RESOLUTION_TIMEOUT_SECONDS", "1 to 10"},
      {"RATE_LIMIT_SEND_MESSAGE", "0 to 100000000"},
      {"RATE_LIMIT_DID_MAX_KEYS", "1000 to 100000000"},
      {"RATE_LIMIT_DID_BUCKET_TTL_SECONDS", "60 to 86400"},
      {"RATE_LIMIT_IP_PER_MINUTE", "0 to 100000000"},
      {"SSE_BUFFER_SIZE", "1 to 1000000"},
      {"MAX_CONNECTIONS", "1 to 1000000"},
      {"ACTOR_IDLE_TIMEOUT_SECONDS", "1 to 2592000"},
      {"ACTOR_MEMORY_MB", "16 to 1048576"},
      {"CATBIRD_WORKERS", "1 to 256"},
      {"CATBIRD_READERS", "1 to 64"},
  };
  for (const auto& [name, range] : bounds) {
    const auto least = std::stoull(range);
    const auto most = std::stoull(range.substr(range.find("to ") + 3));
    for (const auto& bad : {std::string("x"), std::string("1x"), std::string("-1"),
                            std::to_string(most + 1), std::string("99999999999999999999999")}) {
      EXPECT_EQ(refusal({{name, bad}}), name + " must be a whole number from " + range) << bad;
    }
    if (least > 0) EXPECT_NE(refusal({{name, std::to_string(least - 1)}}), "accepted") << name;
    EXPECT_EQ(refusal({{name, std::to_string(least)}}), "accepted") << name;
    EXPECT_EQ(refusal({{name, std::to_string(most)}}), "accepted") << name;
  }
}

TEST(ReadConfig, refuses_flags_that_are_neither_true_nor_false) {
  for (const auto* name : {"CATBIRD_DEV", "ENFORCE_LXM", "ENFORCE_JTI", "ENABLE_DIRECT_XRPC_PROXY",
                           "ENABLE_METRICS", "METRICS_CONVO_LABELS"}) {
    EXPECT_EQ(refusal({{name, "maybe"}}), std::string(name) + " must be true or false");
  }
}

TEST(ReadConfig, takes_empty_variables_for_absent_ones) {
  EXPECT_EQ(good({{"SERVER_PORT", ""}, {"DATABASE_URL", ""}, {"CATBIRD_DEV", ""}}).server.port,
            3000);
}

TEST(ReadConfig, reports_the_first_of_several_problems) {
  EXPECT_THAT(refusal({{"DATABASE_URL", "x"}, {"SERVER_PORT", "x"}}), HasSubstr("DATABASE_URL"));
}

class EnvFile : public ::testing::Test {
 protected:
  EnvFile() {
    std::string name = (std::filesystem::temp_directory_path() / "catbird-env-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~EnvFile() override { std::filesystem::remove_all(path); }
  std::map<std::string, std::string> read_text(const std::string& text) {
    std::ofstream(path / ".env") << text;
    return read_env_file((path / ".env").string()).value();
  }
  std::filesystem::path path;
};

TEST_F(EnvFile, may_be_absent) { EXPECT_EQ(read_env_file((path / "none").string()), std::nullopt); }

TEST_F(EnvFile, reads_lines_comments_quotes_and_exports) {
  const Variables expected{{"A", "1"},        {"B", "two words"}, {"C", "single"},
                           {"D", "x=y"},      {"E", ""},          {"F", "exported"},
                           {"G", "indented"}, {"H", "\"open"},    {"I", "# no comment"},
                           {"J", "windows"}};
  EXPECT_EQ(
      read_text("# comment\n\nA=1\nB=\"two words\"\nC='single'\nD=x=y\nE=\nexport F=exported\n"
                "  G=indented  \nH=\"open\nI=\"# no comment\"\nJ=windows\r\nnot a line\n"
                "  # another\n"),
      expected);
}

TEST_F(EnvFile, takes_the_last_of_equal_names) {
  EXPECT_EQ(read_text("A=1\nA=2"), (Variables{{"A", "2"}}));
}

}  // namespace
}  // namespace catbird::app
