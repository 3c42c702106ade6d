// SPDX-License-Identifier: MIT
#include "xrpc/input.hpp"

#include "mls/verify.hpp"

#include <simdjson.h>

#include <algorithm>
#include <memory>

namespace catbird::xrpc {

namespace dom = simdjson::dom;

struct Fields::Node {
  std::shared_ptr<dom::parser> document;
  dom::element element;
};

namespace {

std::unexpected<Error> bad(std::string_view name, std::string_view expected) {
  return fail(Errc::invalid_request, std::string(name) + " must be " + std::string(expected));
}

// Present and not null.
std::optional<dom::element> member(const dom::element& object, std::string_view name) {
  dom::element value;
  if (object[name].get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

void canonical(const dom::element& value, std::string& out) {
  if (value.is_object()) {
    std::vector<std::pair<std::string_view, dom::element>> members;
    for (auto [key, child] : dom::object(value)) members.emplace_back(key, child);
    std::ranges::sort(members, {}, [](const auto& pair) { return pair.first; });
    out.push_back('{');
    for (const auto& [key, child] : members) {
      if (child.is_null()) continue;  // absent and null mean the same
      out.append(std::to_string(key.size())).push_back(':');
      out.append(key);
      canonical(child, out);
    }
    out.push_back('}');
  } else if (value.is_array()) {
    out.push_back('[');
    for (auto child : dom::array(value)) canonical(child, out);
    out.push_back(']');
  } else if (value.is_string()) {
    const std::string_view text = value;
    out.push_back('s');
    out.append(std::to_string(text.size())).push_back(':');
    out.append(text);
  } else {
    out.append(simdjson::minify(value)).push_back(';');
  }
}

constexpr std::size_t json_depth_max = 32;

// No C string and no text of PostgreSQL can hold it, so no name or value ever does.
std::optional<std::string_view> flaw_in(std::string_view text) {
  if (text.contains('\0')) return "the body holds the character U+0000";
  return std::nullopt;
}

// What is wrong with a document that is well-formed JSON; nothing if all is well.
std::optional<std::string_view> flaw_in(const dom::element& value) {
  if (value.is_string()) return flaw_in(std::string_view(value));
  if (value.is_array()) {
    for (auto child : dom::array(value)) {
      if (auto flaw = flaw_in(child)) return flaw;
    }
    return std::nullopt;
  }
  if (!value.is_object()) return std::nullopt;
  std::vector<std::string_view> keys;
  for (auto [key, child] : dom::object(value)) {
    if (auto flaw = flaw_in(key)) return flaw;
    keys.push_back(key);
    if (auto flaw = flaw_in(child)) return flaw;
  }
  std::ranges::sort(keys);
  // Two members of one name: parsers differ on which counts, so nobody's reading is taken.
  if (std::ranges::adjacent_find(keys) != keys.end()) return "the body names a member twice";
  return std::nullopt;
}

}  // namespace

Result<std::optional<std::string>> Fields::maybe_text(std::string_view name) const {
  auto value = member(node_->element, name);
  if (!value) return std::nullopt;
  std::string_view text;
  if (value->get(text) != simdjson::SUCCESS) return bad(name, "a string");
  return std::string(text);
}

Result<std::string> Fields::text(std::string_view name) const {
  auto value = maybe_text(name);
  if (!value) return std::unexpected(value.error());
  if (!*value) return fail(Errc::invalid_request, std::string(name) + " is missing");
  return std::move(**value);
}

Result<std::optional<std::int64_t>> Fields::maybe_integer(std::string_view name) const {
  auto value = member(node_->element, name);
  if (!value) return std::nullopt;
  std::int64_t number = 0;
  if (value->get(number) != simdjson::SUCCESS) return bad(name, "an integer");
  return number;
}

Result<std::int64_t> Fields::integer(std::string_view name) const {
  auto value = maybe_integer(name);
  if (!value) return std::unexpected(value.error());
  if (!*value) return fail(Errc::invalid_request, std::string(name) + " is missing");
  return **value;
}

Result<bool> Fields::boolean(std::string_view name) const {
  auto value = member(node_->element, name);
  if (!value) return fail(Errc::invalid_request, std::string(name) + " is missing");
  bool flag = false;
  if (value->get(flag) != simdjson::SUCCESS) return bad(name, "true or false");
  return flag;
}

Result<std::optional<bool>> Fields::maybe_boolean(std::string_view name) const {
  auto value = member(node_->element, name);
  if (!value) return std::nullopt;
  bool flag = false;
  if (value->get(flag) != simdjson::SUCCESS) return bad(name, "true or false");
  return flag;
}

Result<std::vector<std::string>> Fields::maybe_texts(std::string_view name) const {
  std::vector<std::string> out;
  auto value = member(node_->element, name);
  if (!value) return out;
  dom::array list;
  if (value->get(list) != simdjson::SUCCESS) return bad(name, "a list of strings");
  for (auto item : list) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) return bad(name, "a list of strings");
    out.emplace_back(text);
  }
  return out;
}

Result<std::optional<Bytes>> Fields::maybe_bytes(std::string_view name) const {
  auto value = member(node_->element, name);
  if (!value) return std::nullopt;
  std::string_view text;
  if (value->get(text) != simdjson::SUCCESS && (*value)["$bytes"].get(text) != simdjson::SUCCESS) {
    return bad(name, "base64 or an object with $bytes");
  }
  auto bytes = from_base64(text);
  if (!bytes) return bad(name, "valid base64");
  return std::move(*bytes);
}

Result<Bytes> Fields::bytes(std::string_view name) const {
  auto value = maybe_bytes(name);
  if (!value) return std::unexpected(value.error());
  if (!*value) return fail(Errc::invalid_request, std::string(name) + " is missing");
  return std::move(**value);
}

Result<std::optional<Fields>> Fields::maybe_object(std::string_view name) const {
  auto value = member(node_->element, name);
  if (!value) return std::nullopt;
  if (!value->is_object()) return bad(name, "an object");
  return Fields(std::make_shared<const Node>(Node{node_->document, *value}));
}

Result<std::vector<Fields>> Fields::maybe_objects(std::string_view name) const {
  std::vector<Fields> out;
  auto value = member(node_->element, name);
  if (!value) return out;
  dom::array list;
  if (value->get(list) != simdjson::SUCCESS) return bad(name, "a list of objects");
  for (auto item : list) {
    if (!item.is_object()) return bad(name, "a list of objects");
    out.push_back(Fields(std::make_shared<const Node>(Node{node_->document, item})));
  }
  return out;
}

Result<Body> Body::parse(const std::string& text) {
  auto document = std::make_shared<dom::parser>();
  if (document->allocate(std::max<std::size_t>(text.size(), 64), json_depth_max) !=
      simdjson::SUCCESS) {
    return fail(Errc::overloaded, "no memory for the request");
  }
  dom::element root;
  // The body buffer has the padding already: no copy.
  if (document->parse(text.data(), text.size(), false).get(root) != simdjson::SUCCESS ||
      !root.is_object()) {
    return fail(Errc::invalid_request, "the body is not a JSON object");
  }
  if (auto flaw = flaw_in(root)) return fail(Errc::invalid_request, std::string(*flaw));
  return Body(
      Fields(std::make_shared<const Fields::Node>(Fields::Node{std::move(document), root})));
}

core::Hash Body::digest() const {
  std::string text;
  canonical(fields_.node_->element, text);
  return mls::sha256(view_of(text));
}

}  // namespace catbird::xrpc
