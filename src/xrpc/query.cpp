// SPDX-License-Identifier: MIT
#include "xrpc/input.hpp"

#include <simdjson.h>

#include <charconv>

namespace catbird::xrpc {

namespace {

constexpr std::size_t pairs_max = 512;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '+') {
      out.push_back(' ');
    } else if (raw[i] != '%') {
      out.push_back(raw[i]);
    } else {
      if (i + 2 >= raw.size()) return std::nullopt;
      const int high = hex_value(raw[i + 1]);
      const int low = hex_value(raw[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  if (!simdjson::validate_utf8(out.data(), out.size())) return std::nullopt;
  // No C string and no text of PostgreSQL can hold it, so no name or value ever does.
  if (out.contains('\0')) return std::nullopt;
  return out;
}

}  // namespace

Result<Query> Query::parse(std::string_view raw) {
  Query query;
  while (!raw.empty()) {
    const auto part = raw.substr(0, raw.find('&'));
    raw.remove_prefix(std::min(raw.size(), part.size() + 1));
    if (part.empty()) continue;
    if (query.pairs_.size() == pairs_max) {
      return fail(Errc::invalid_request, "too many query parameters");
    }
    const auto equals = part.find('=');
    auto name = decode(part.substr(0, equals));
    auto value = decode(equals == std::string_view::npos ? "" : part.substr(equals + 1));
    if (!name || !value) return fail(Errc::invalid_request, "malformed query string");
    query.pairs_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

std::optional<std::string> Query::text(std::string_view name) const {
  for (const auto& [known, value] : pairs_) {
    if (known == name) return value;
  }
  return std::nullopt;
}

Result<std::string> Query::required(std::string_view name) const {
  auto value = text(name);
  if (!value || value->empty()) {
    return fail(Errc::invalid_request, "parameter " + std::string(name) + " is missing");
  }
  return std::move(*value);
}

std::vector<std::string> Query::list(std::string_view name) const {
  const std::string bracketed = std::string(name) + "[]";
  std::vector<std::string> out;
  for (const auto& [known, value] : pairs_) {
    if (known == name || known == bracketed) out.push_back(value);
  }
  return out;
}

Result<std::optional<std::int64_t>> Query::integer(std::string_view name, std::int64_t min,
                                                   std::int64_t max) const {
  auto value = text(name);
  if (!value) return std::nullopt;
  std::int64_t number = 0;
  const auto* end = value->data() + value->size();
  const auto [stop, error] = std::from_chars(value->data(), end, number);
  if (error != std::errc() || stop != end || number < min || number > max) {
    return fail(Errc::invalid_request, "parameter " + std::string(name) +
                                           " must be an integer from " + std::to_string(min) +
                                           " to " + std::to_string(max));
  }
  return number;
}

}  // namespace catbird::xrpc
