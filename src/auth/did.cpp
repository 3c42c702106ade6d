// SPDX-License-Identifier: MIT
#include "auth/did.hpp"

#include "auth/limits.hpp"
#include "auth/service_auth.hpp"

#include <algorithm>
#include <array>

namespace catbird::auth {
namespace {

constexpr std::string_view plc_prefix = "did:plc:";
constexpr std::string_view web_prefix = "did:web:";
constexpr std::string_view port_mark = "%3A";
constexpr std::size_t plc_id_bytes = 24;
constexpr std::size_t label_bytes_max = 63;
constexpr std::size_t port_digits_max = 5;
/// Names that resolve inside a machine or a site, or never at all (RFC 6761, 6762, 7686, 8375).
constexpr std::array<std::string_view, 11> inner_suffixes{
    ".local", ".localhost",   ".internal", ".test",     ".invalid", ".example",
    ".onion", ".localdomain", ".arpa",     ".intranet", ".home"};

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > label_bytes_max) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

/// At least two labels, and a last one that starts with a letter: no literal address in any of
/// its spellings (decimal, octal, 0x…, shortened) can have that.
bool is_host_name(std::string_view host) {
  if (host.size() > host_bytes_max) return false;
  std::size_t labels = 0;
  std::string_view last;
  for (std::string_view rest = host;;) {
    const auto dot = rest.find('.');
    last = rest.substr(0, dot);
    if (!is_label(last)) return false;
    ++labels;
    if (dot == std::string_view::npos) break;
    rest = rest.substr(dot + 1);
  }
  return labels >= 2 && is_lower(last.front());
}

bool is_port(std::string_view port) {
  if (port.empty() || port.size() > port_digits_max || port.front() == '0') return false;
  if (!std::ranges::all_of(port, is_digit)) return false;
  return port.size() < port_digits_max || port <= "65535";
}

struct WebHost {
  std::string_view host;
  std::string_view port;
};

/// AT Protocol: a host name and nothing after it; a port only for localhost. Lower case, so that
/// no two DIDs name one document.
std::optional<WebHost> parse_web(std::string_view id) {
  const auto mark = id.find(port_mark);
  if (mark == std::string_view::npos) {
    if (id != "localhost" && !is_host_name(id)) return std::nullopt;
    return WebHost{id, {}};
  }
  const WebHost parsed{id.substr(0, mark), id.substr(mark + port_mark.size())};
  if (parsed.host != "localhost" || !is_port(parsed.port)) return std::nullopt;
  return parsed;
}

bool is_plc_id(std::string_view id) {
  return id.size() == plc_id_bytes &&
         std::ranges::all_of(id, [](char c) { return is_lower(c) || (c >= '2' && c <= '7'); });
}

bool is_allowed(std::string_view host, std::span<const std::string> allowlist) {
  if (allowlist.empty()) return true;
  return std::ranges::any_of(allowlist, [&](const std::string& entry) {
    return entry.starts_with('.') ? host.ends_with(entry) : host == entry;
  });
}

bool is_unreserved(char c) {
  return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

std::optional<DidTarget> web_target(std::string_view id, const DidTargetRules& rules) {
  const auto web = parse_web(id);
  if (!web || !is_allowed(web->host, rules.allowlist)) return std::nullopt;
  DidTarget target;
  if (web->host == "localhost") {
    if (!rules.development) return std::nullopt;
    target.url = "http://localhost";
    if (!web->port.empty()) target.url.append(":").append(web->port);
  } else {
    const bool inner = std::ranges::any_of(
        inner_suffixes, [&](std::string_view suffix) { return web->host.ends_with(suffix); });
    if (inner) return std::nullopt;
    target.url.append("https://").append(web->host);
  }
  target.url += "/.well-known/did.json";
  return target;
}

}  // namespace

bool is_valid_did(std::string_view did) {
  if (did.size() > did_bytes_max) return false;
  if (did.starts_with(plc_prefix)) return is_plc_id(did.substr(plc_prefix.size()));
  return did.starts_with(web_prefix) && parse_web(did.substr(web_prefix.size())).has_value();
}

std::optional<Issuer> parse_issuer(std::string_view iss) {
  const auto hash = iss.find('#');
  const auto did = iss.substr(0, hash);
  if (!is_valid_did(did)) return std::nullopt;
  if (hash == std::string_view::npos) return Issuer{std::string(did), {}};
  const auto device = iss.substr(hash + 1);
  if (device.empty() || device.size() > device_bytes_max) return std::nullopt;
  if (!std::ranges::all_of(device, is_unreserved)) return std::nullopt;
  return Issuer{std::string(did), std::string(device)};
}

std::optional<DidTarget> did_target(std::string_view did, const DidTargetRules& rules) {
  if (!is_valid_did(did)) return std::nullopt;
  if (did.starts_with(web_prefix)) return web_target(did.substr(web_prefix.size()), rules);
  DidTarget target;
  target.operator_url = true;
  target.url = rules.plc_directory_url;
  while (target.url.ends_with('/')) target.url.pop_back();
  // The colons escaped, as the reference resolver asks.
  target.url.append("/did%3Aplc%3A").append(did.substr(plc_prefix.size()));
  return target;
}

}  // namespace catbird::auth
