// SPDX-License-Identifier: MIT
#include "app/config.hpp"

#include "auth/service_auth.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace catbird::app {

namespace {

constexpr std::size_t jwt_secret_bytes_min = 32;
constexpr std::uint64_t database_lanes_max = 4;
/// Where what is not in PostgreSQL stands: the secret and the journal of token ids.
constexpr std::string_view local_files = "data/catbird";

std::unexpected<Error> wrong(std::string_view name, std::string_view what) {
  return fail(Errc::invalid_request, std::string(name) + " " + std::string(what));
}

/// Reads variables one by one and keeps the first thing that is wrong.
class Source {
 public:
  explicit Source(const Environment& environment) : environment_(environment) {}

  /// As set, empty included.
  std::optional<std::string> raw(std::string_view name) const { return environment_(name); }
  std::optional<std::string> text(std::string_view name) const {
    auto value = environment_(name);
    if (value && value->empty()) return std::nullopt;
    return value;
  }
  template <class Int>
  void number(std::string_view name, Int& out, std::uint64_t min, std::uint64_t max) {
    auto value = text(name);
    if (!value) return;
    std::uint64_t number = 0;
    const auto* end = value->data() + value->size();
    const auto [stop, error] = std::from_chars(value->data(), end, number);
    if (error != std::errc() || stop != end || number < min || number > max) {
      note(wrong(name, "must be a whole number from " + std::to_string(min) + " to " +
                           std::to_string(max)));
      return;
    }
    out = static_cast<Int>(number);
  }
  void flag(std::string_view name, bool& out) {
    auto value = text(name);
    if (!value) return;
    if (*value == "1" || *value == "true" || *value == "yes" || *value == "TRUE") {
      out = true;
    } else if (*value == "0" || *value == "false" || *value == "no" || *value == "FALSE") {
      out = false;
    } else {
      note(wrong(name, "must be true or false"));
    }
  }
  std::vector<std::string> list(std::string_view name) const {
    std::vector<std::string> out;
    auto value = text(name).value_or("");
    for (std::size_t from = 0; from <= value.size();) {
      const auto comma = std::min(value.find(',', from), value.size());
      auto part = value.substr(from, comma - from);
      std::erase(part, ' ');
      if (!part.empty()) out.push_back(std::move(part));
      from = comma + 1;
    }
    return out;
  }
  void note(std::unexpected<Error> problem) {
    if (!problem_) problem_ = std::move(problem).error();
  }
  const std::optional<Error>& problem() const { return problem_; }

 private:
  const Environment& environment_;
  std::optional<Error> problem_;
};

void read_database(Source& source, Config& config) {
  const auto url = source.text("DATABASE_URL");
  if (!url) return;
  constexpr std::string_view sqlite = "sqlite:";
  if (url->starts_with("postgres://") || url->starts_with("postgresql://")) {
    config.postgres_url = *url;
    config.readers = 4;
    source.number("DATABASE_LANES", config.database_lanes, 1, database_lanes_max);
    source.flag("DATABASE_EXCLUSIVE", config.database_exclusive);
    return;
  }
  if (!url->starts_with(sqlite)) {
    source.note(wrong("DATABASE_URL",
                      "must be sqlite:PATH or postgresql://… (or absent: ./data/catbird.db)"));
    return;
  }
  auto path = url->substr(sqlite.size());
  if (path.starts_with("///")) path.erase(0, 2);  // sqlite:///abs/path as other tools write it
  if (path.empty()) source.note(wrong("DATABASE_URL", "has no path after sqlite:"));
  config.sqlite_path = std::move(path);
}

void read_actor_switch(Source& source, Config& config) {
  // DECISIONS 21: absent means on, empty means off.
  const auto value = source.raw("ENABLE_ACTOR_SYSTEM").value_or("true");
  config.actors = value == "1" || value == "true";
  if (config.actors || value == "0" || value == "false" || value.empty()) return;
  source.note(wrong("ENABLE_ACTOR_SYSTEM", "must be true, 1, false or 0"));
}

void read_identity(Source& source, Config& config) {
  source.flag("CATBIRD_DEV", config.development);
  config.jwt_secret = source.text("JWT_SECRET").value_or("");
  if (config.development && !config.jwt_secret.empty() &&
      config.jwt_secret.size() < jwt_secret_bytes_min) {
    source.note(wrong("JWT_SECRET", "must have at least 32 bytes"));
  }
  if (!config.development && !config.jwt_secret.empty()) {
    config.remarks.emplace_back(
        "JWT_SECRET is not used: HS256 tokens exist only with CATBIRD_DEV=true");
    config.jwt_secret.clear();
  }
  config.service_did = source.text("SERVICE_DID").value_or("");
  if (config.service_did.empty()) {
    if (config.development) {
      config.service_did = "did:web:localhost";
    } else {
      source.note(wrong("SERVICE_DID",
                        "is required: set it to this server's DID, e.g. did:web:mls.example.org"));
    }
  } else if (!auth::is_valid_did(config.service_did)) {
    source.note(wrong("SERVICE_DID", "is not a did:web or did:plc"));
  }
  config.public_endpoint = source.text("SERVICE_ENDPOINT").value_or("");
  config.websocket_endpoint = source.text("WEBSOCKET_ENDPOINT").value_or("");
  config.plc_directory_url = source.text("PLC_DIRECTORY_URL").value_or(config.plc_directory_url);
  while (config.plc_directory_url.ends_with('/')) config.plc_directory_url.pop_back();
  config.did_host_allowlist = source.list("DID_RESOLUTION_HOST_ALLOWLIST");
  // The users of a development server are known to no public directory.
  config.block_checks = !config.development || source.text("PLC_DIRECTORY_URL").has_value();
  source.flag("ENABLE_BLOCK_CHECKS", config.block_checks);
  std::uint64_t seconds = 3;
  source.number("DID_RESOLUTION_TIMEOUT_SECONDS", seconds, 1, 10);
  config.did_deadline = std::chrono::seconds(seconds);
}

void read_guards(Source& source, Config& config) {
  bool on = true;
  source.flag("ENFORCE_LXM", on);
  if (!on)
    source.note(
        fail(Errc::invalid_request, "ENFORCE_LXM=false is not possible: lxm is always checked"));
  source.flag("ENFORCE_JTI", on = true);
  if (!on)
    source.note(
        fail(Errc::invalid_request, "ENFORCE_JTI=false is not possible: a token works once"));
  bool proxy = false;
  source.flag("ENABLE_DIRECT_XRPC_PROXY", proxy);
  if (proxy) {
    source.note(wrong("ENABLE_DIRECT_XRPC_PROXY", "is not supported: this server is no proxy"));
  }
  if (source.text("JTI_TTL_SECONDS")) {
    config.remarks.emplace_back(
        "JTI_TTL_SECONDS is ignored: a token id is remembered for as long as the token lives");
  }
  if (source.text("REDIS_URL")) {
    config.remarks.emplace_back("REDIS_URL is accepted and used for nothing yet");
  }
}

void read_limits(Source& source, Config& config) {
  using enum xrpc::RateClass;
  struct Row {
    std::string_view name;
    xrpc::RateClass kind;
  };
  constexpr auto rows = std::to_array<Row>({
      {"RATE_LIMIT_SEND_MESSAGE", send_message},
      {"RATE_LIMIT_GET_MESSAGES", get_messages},
      {"RATE_LIMIT_READ_STATE", read_state},
      {"RATE_LIMIT_PUBLISH_KEY_PACKAGE", publish_key_package},
      {"RATE_LIMIT_CLAIM_KEY_PACKAGE", claim_key_package},
      {"RATE_LIMIT_ADD_MEMBERS", add_members},
      {"RATE_LIMIT_CREATE_CONVO", create_convo},
      {"RATE_LIMIT_REGISTER_DEVICE", register_device},
      {"RATE_LIMIT_SYNC_KEY_PACKAGES", sync_key_packages},
      {"RATE_LIMIT_REPORT_MEMBER", report_member},
      {"RATE_LIMIT_CHECK_BLOCKS", check_blocks},
      {"RATE_LIMIT_DID_DEFAULT", other},
  });
  constexpr std::uint64_t most = 100'000'000;
  for (const auto& row : rows) {
    source.number(row.name, config.rates.per_minute[static_cast<std::size_t>(row.kind)], 0, most);
  }
  source.number("RATE_LIMIT_EXTERNAL_COMMIT", config.rates.rejoins.storm_max, 0, 64);
  source.number("RATE_LIMIT_DID_MAX_KEYS", config.rates.keys_max, 1'000, most);
  std::uint64_t ttl = 900;
  source.number("RATE_LIMIT_DID_BUCKET_TTL_SECONDS", ttl, 60, 86'400);
  config.rates.bucket_ttl = std::chrono::seconds(ttl);
  source.number("RATE_LIMIT_IP_PER_MINUTE", config.ip_per_minute, 0, most);
  source.number("MAX_DEVICES_PER_USER", config.devices_max, 1, 100);
  source.number("SSE_BUFFER_SIZE", config.stream_events_max, 1, 1'000'000);
  source.number("MAX_CONNECTIONS", config.server.limits.connections_max, 1, 1'000'000);
}

void read_process(Source& source, Config& config) {
  config.log_directives = source.text("RUST_LOG").value_or("info");
  config.server.host = source.text("SERVER_HOST").value_or("127.0.0.1");
  source.number("SERVER_PORT", config.server.port, 0, 65'535);
  config.server.trusted_proxy_cidrs = source.list("TRUSTED_PROXY_CIDRS");
  source.flag("ENABLE_METRICS", config.metrics);
  config.metrics_token = source.text("METRICS_TOKEN").value_or("");
  source.flag("METRICS_CONVO_LABELS", config.convo_labels);
  std::uint64_t idle = 3600;
  source.number("ACTOR_IDLE_TIMEOUT_SECONDS", idle, 1, 30ULL * 86'400);
  config.actor_idle_timeout = std::chrono::seconds(idle);
  std::uint64_t megabytes = 1024;
  source.number("ACTOR_MEMORY_MB", megabytes, 16, 1'048'576);
  config.actor_bytes_max = megabytes * 1024 * 1024;
  source.number("CATBIRD_WORKERS", config.workers, 1, 256);
  source.number("CATBIRD_READERS", config.readers, 1, 64);
}

void read_retention(Source& source, Config& config) {
  constexpr std::uint64_t days_max = 36'500;
  std::uint64_t days = 0;
  source.number("MESSAGE_TTL_DAYS", days, 0, days_max);
  config.retention.messages = std::chrono::days(days);
  source.number("IDEMPOTENCY_TTL_DAYS", days = 0, 0, days_max);
  config.retention.requests = std::chrono::days(days);
  std::uint64_t seconds = 86'400;
  source.number("CLEANUP_INTERVAL_SECS", seconds, 0, 30ULL * 86'400);
  config.retention.interval = std::chrono::seconds(seconds);
  config.cleanup_url = source.text("CLEANUP_DATABASE_URL").value_or("");
  if (!config.cleanup_url.empty() && config.postgres_url.empty()) {
    source.note(wrong("CLEANUP_DATABASE_URL", "is for PostgreSQL: DATABASE_URL names none"));
  }
  if (source.text("EVENT_STREAM_TTL_DAYS")) {
    config.remarks.emplace_back(
        "EVENT_STREAM_TTL_DAYS is ignored: streams replay the history itself (MESSAGE_TTL_DAYS)");
  }
}

}  // namespace

Result<Config> read_config(const Environment& environment) {
  Config config;
  Source source(environment);
  read_database(source, config);
  read_actor_switch(source, config);
  read_identity(source, config);
  read_guards(source, config);
  read_limits(source, config);
  read_process(source, config);
  read_retention(source, config);
  const auto beside = config.postgres_url.empty() ? config.sqlite_path : std::string(local_files);
  config.secret_path = source.text("CATBIRD_SECRET_FILE").value_or(beside + ".secret");
  config.journal_path = source.text("CATBIRD_TOKEN_JOURNAL").value_or(beside + ".tokens");
  if (source.problem()) return std::unexpected(*source.problem());
  return config;
}

std::optional<std::map<std::string, std::string>> read_env_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::map<std::string, std::string> out;
  std::string line;
  while (std::getline(file, line)) {
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string::npos || line[first] == '#') continue;
    const auto equals = line.find('=', first);
    if (equals == std::string::npos) continue;
    auto name = line.substr(first, equals - first);
    if (name.starts_with("export ")) name.erase(0, 7);
    auto value = line.substr(equals + 1);
    while (!value.empty() && (value.back() == '\r' || value.back() == ' ')) value.pop_back();
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
        value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    out[name] = value;
  }
  return out;
}

}  // namespace catbird::app
