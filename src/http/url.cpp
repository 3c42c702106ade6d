// SPDX-License-Identifier: MIT
#include "http/url.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace catbird::http {
namespace {

constexpr std::size_t url_bytes_max = 2048;
constexpr std::size_t host_bytes_max = 253;  // RFC 1035 §2.3.4, without the root's dot
constexpr std::size_t label_bytes_max = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::unexpected<Error> refuse(const char* why) { return fail(Errc::invalid_request, why); }

bool is_target_character(char c) {
  constexpr std::string_view refused = "\"#<>\\^`{|}";
  return c > 0x20 && c < 0x7F && refused.find(c) == std::string_view::npos;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > label_bytes_max) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::ranges::all_of(label, [](char c) { return is_letter(c) || is_digit(c) || c == '-'; });
}

/// Some resolver would read this as an IPv4 address: 2130706433, 0x7f.1, 127.1, 010.0.0.1.
bool looks_numeric(std::string_view host) {
  auto const last = host.substr(host.rfind('.') + 1);
  if (std::ranges::all_of(last, is_digit)) return true;
  return last.starts_with("0x");
}

bool is_name(std::string_view host) {
  if (host.size() > host_bytes_max) return false;
  while (true) {
    auto const dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  bool const whole = error == std::errc{} && at == text.data() + text.size();
  if (!whole || port == 0 || text.front() == '0') return refuse("url has a malformed port");
  return port;
}

Result<void> parse_host(std::string_view host, Url& url) {
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return refuse("url has a malformed host");
    url.literal = parse_ip(host.substr(1, host.size() - 2));
    // "[1.2.3.4]" parses as an address but is not an IP-literal (RFC 3986 §3.2.2).
    if (!url.literal || host.find(':') == std::string_view::npos) {
      return refuse("url has a malformed host");
    }
    url.host = url.literal->text();
    return {};
  }
  url.host = lower(host);
  if (!is_name(url.host)) return refuse("url has a malformed host");
  if (!looks_numeric(url.host)) return {};
  url.literal = parse_ip(url.host);
  if (!url.literal || url.literal->text() != url.host) {
    return refuse("url has a numeric host that is not canonical");
  }
  return {};
}

Result<void> parse_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != std::string_view::npos) return refuse("url has user information");
  auto const bracket = authority.find(']');
  auto const colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  auto host = parse_host(authority.substr(0, colon), url);
  if (!host) return host;
  url.port = url.tls ? 443 : 80;
  if (colon == std::string_view::npos) return {};
  auto port = parse_port(authority.substr(colon + 1));
  if (!port) return std::unexpected(port.error());
  url.port = *port;
  return {};
}

Result<void> check_public(const Url& url) {
  if (!url.tls) return refuse("url is not https");
  if (url.port != 443) return refuse("url has a port other than 443");
  if (url.literal) {
    if (!is_public(*url.literal)) return refuse("url names an address that is not public");
    return {};
  }
  // A single label could be completed by the resolver's search list into an inner name.
  if (url.host.find('.') == std::string::npos || url.host.ends_with(".localhost")) {
    return refuse("url names a host that is not public");
  }
  return {};
}

}  // namespace

std::string Url::authority() const {
  std::string out = literal && !literal->is_v4() ? "[" + host + "]" : host;
  if (port != (tls ? 443 : 80)) out += ":" + std::to_string(port);
  return out;
}

Result<Url> parse_url(std::string_view text, Reach reach) {
  if (text.size() > url_bytes_max) return refuse("url is too long");
  auto const scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return refuse("url has no scheme");
  auto const scheme = lower(text.substr(0, scheme_end));
  if (scheme != "https" && scheme != "http") return refuse("url has a scheme other than https");

  Url url;
  url.tls = scheme == "https";
  auto rest = text.substr(scheme_end + 3);
  auto const authority_end = rest.find_first_of("/?#\\");
  auto authority = parse_authority(rest.substr(0, authority_end), url);
  if (!authority) return std::unexpected(authority.error());

  url.target = authority_end == std::string_view::npos ? "/" : rest.substr(authority_end);
  if (url.target.front() == '?') url.target.insert(0, "/");
  if (url.target.front() != '/' || !std::ranges::all_of(url.target, is_target_character)) {
    return refuse("url has a malformed path");
  }
  if (reach == Reach::public_only) {
    auto allowed = check_public(url);
    if (!allowed) return std::unexpected(allowed.error());
  }
  return url;
}

bool may_connect(const Url& url, const IpAddress& address, Reach reach) {
  if (reach == Reach::operator_url) return true;
  if (reach == Reach::development && address.is_loopback()) return true;
  return url.tls && url.port == 443 && is_public(address);
}

}  // namespace catbird::http
