// SPDX-License-Identifier: MIT
#include "app/config.hpp"

#include "auth/service_auth.hpp"
#include "base/bytes.hpp"
#include "base/check.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

using namespace catbird;

namespace {

using Variables = std::map<std::string, std::string>;

/// Through a file, as the server reads it.
Variables parse(std::string_view text) {
  static const int file = ::memfd_create("env", MFD_CLOEXEC);
  CATBIRD_CHECK(::ftruncate(file, 0) == 0);
  const auto written = ::pwrite(file, text.data(), text.size(), 0);
  CATBIRD_CHECK(written == static_cast<ssize_t>(text.size()));
  const auto variables = app::read_env_file("/proc/self/fd/" + std::to_string(file));
  CATBIRD_CHECK(variables.has_value());
  return *variables;
}

void check_variables(const Variables& variables, std::string_view text) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : variables) {
    CATBIRD_CHECK(text.contains(name) && text.contains(value) && !value.contains('\n'));
    bytes += name.size() + value.size();
  }
  CATBIRD_CHECK(bytes <= text.size());
  // Written plainly, they are read as they are. What white space stands around a name or a value
  // is no part of it, and neither are quotes.
  std::string plain;
  for (const auto& [name, value] : variables) {
    if (name.starts_with("export ") || name.starts_with('#')) return;
    if (name.find_first_of(" \t\0", 0, 3) == 0) return;
    plain += name + "=\"" + value + "\"\n";
  }
  CATBIRD_CHECK(parse(plain) == variables);
}

void check_config(const app::Config& config) {
  CATBIRD_CHECK(auth::is_valid_did(config.service_did));
  CATBIRD_CHECK(config.development || config.jwt_secret.empty());
  CATBIRD_CHECK(config.jwt_secret.empty() || config.jwt_secret.size() >= 32);
  CATBIRD_CHECK(!config.sqlite_path.empty() && !config.secret_path.empty());
  CATBIRD_CHECK(config.workers <= 256 && config.readers >= 1 && config.readers <= 64);
  CATBIRD_CHECK(config.stream_events_max >= 1 && config.server.limits.connections_max >= 1);
  CATBIRD_CHECK(config.did_deadline >= std::chrono::seconds(1));
}

}  // namespace

/// An operator's .env file: read, and refused with one line or turned into settings within bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto text = text_of(ByteView(data, size));
  const auto variables = parse(text);
  check_variables(variables, text);
  const auto config = app::read_config([&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
  if (config) {
    check_config(*config);
  } else {
    CATBIRD_CHECK(config.error().code == Errc::invalid_request);
    CATBIRD_CHECK(!config.error().detail.empty() && !config.error().detail.contains('\n'));
  }
  return 0;
}
