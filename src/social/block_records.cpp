// SPDX-License-Identifier: MIT
#include "social/block_records.hpp"

#include "social/limits.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <utility>

namespace catbird::social {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view collection = "app.bsky.graph.block";
constexpr std::string_view server_fragment = "#atproto_pds";
constexpr std::string_view server_type = "AtprotoPersonalDataServer";

std::unexpected<Error> unreadable(std::string_view detail) {
  return fail(Errc::bluesky_unavailable, std::string(detail));
}

std::optional<std::string_view> text_of(const dom::object& object, std::string_view name) {
  std::string_view text;
  if (object[name].get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

// A user of the directory writes this: nothing but an origin gets into the URLs we ask for.
std::optional<std::string> origin_of(std::string_view endpoint) {
  while (endpoint.ends_with('/')) endpoint.remove_suffix(1);
  std::string_view rest = endpoint;
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (rest.size() == endpoint.size() && rest.starts_with(scheme)) {
      rest.remove_prefix(scheme.size());
    }
  }
  const bool plain = std::ranges::all_of(rest, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == ':';
  });
  if (rest.size() == endpoint.size() || rest.empty() || !plain) return std::nullopt;
  return std::string(endpoint);
}

std::string escaped(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4U];
      out += digits[byte & 0xfU];
    }
  }
  return out;
}

std::optional<Block> block_of(const dom::object& record, std::string_view prefix) {
  const auto uri = text_of(record, "uri");
  dom::object value;
  if (!uri || !uri->starts_with(prefix) || uri->size() > uri_bytes_max ||
      record["value"].get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  const auto subject = text_of(value, "subject");
  if (!subject || !subject->starts_with("did:") || subject->size() > subject_bytes_max) {
    return std::nullopt;
  }
  const auto said = text_of(value, "createdAt");
  const auto at = said ? from_rfc3339(*said) : std::nullopt;
  return Block{std::string(*subject), std::string(*uri), at.value_or(Timestamp{})};
}

}  // namespace

BlockList::BlockList(std::vector<Block> blocks) : blocks_(std::move(blocks)) {
  std::ranges::sort(blocks_, {}, [](const Block& block) {
    return std::pair<std::string_view, std::string_view>(block.subject, block.uri);
  });
  const auto twice = std::ranges::unique(blocks_, {}, &Block::subject);
  blocks_.erase(twice.begin(), twice.end());
  blocks_.shrink_to_fit();
}

const Block* BlockList::find(std::string_view subject) const {
  const auto it = std::ranges::lower_bound(blocks_, subject, {}, &Block::subject);
  return it != blocks_.end() && it->subject == subject ? &*it : nullptr;
}

Result<std::optional<std::string>> data_server_of(std::string_view document, std::string_view did) {
  dom::parser parser;
  dom::object root;
  if (parser.parse(document.data(), document.size()).get(root) != simdjson::SUCCESS ||
      text_of(root, "id") != did) {
    return unreadable("the did document cannot be read");
  }
  dom::array services;
  if (root["service"].get(services) != simdjson::SUCCESS) return std::nullopt;
  if (services.size() > services_max) return unreadable("the did document has too many services");
  const auto whole = std::string(did).append(server_fragment);
  for (const dom::element element : services) {
    dom::object service;
    if (element.get(service) != simdjson::SUCCESS) continue;
    const auto id = text_of(service, "id");
    if (!id || (*id != server_fragment && *id != whole)) continue;
    if (text_of(service, "type") != server_type) continue;
    const auto endpoint = text_of(service, "serviceEndpoint");
    auto origin = endpoint ? origin_of(*endpoint) : std::nullopt;
    if (!origin) return unreadable("the data server's address cannot be read");
    return origin;
  }
  return std::nullopt;
}

std::string block_page_url(std::string_view server, std::string_view did, std::string_view cursor) {
  std::string url(server);
  url += "/xrpc/com.atproto.repo.listRecords?collection=";
  url.append(collection).append("&limit=").append(std::to_string(records_per_page));
  url.append("&repo=").append(escaped(did));
  if (!cursor.empty()) url.append("&cursor=").append(escaped(cursor));
  return url;
}

Result<BlockPage> read_block_page(std::string_view json, std::string_view did) {
  dom::parser parser;
  dom::object root;
  dom::array records;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
      root["records"].get(records) != simdjson::SUCCESS) {
    return unreadable("the data server's answer cannot be read");
  }
  const auto prefix = std::string("at://").append(did).append("/").append(collection).append("/");
  BlockPage page;
  for (const dom::element element : records) {
    dom::object record;
    if (element.get(record) != simdjson::SUCCESS) continue;
    if (auto block = block_of(record, prefix)) page.blocks.push_back(std::move(*block));
  }
  // A page without records is the last one, whatever cursor comes with it.
  if (records.begin() == records.end()) return page;
  if (const auto cursor = text_of(root, "cursor")) {
    if (cursor->size() > cursor_bytes_max)
      return unreadable("the data server's cursor is too long");
    page.cursor = std::string(*cursor);
  }
  return page;
}

bool says_no_repository(std::string_view json) {
  constexpr std::array<std::string_view, 4> names{"RepoNotFound", "RepoDeactivated",
                                                  "RepoTakendown", "RepoSuspended"};
  dom::parser parser;
  dom::object root;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) return false;
  const auto name = text_of(root, "error");
  return name && std::ranges::find(names, *name) != names.end();
}

}  // namespace catbird::social
