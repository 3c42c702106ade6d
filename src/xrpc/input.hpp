// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "core/types.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a client sent, read once and checked for shape. Every failure is invalid_request with a
// detail that names the field and never quotes its value.

namespace catbird::xrpc {

/// Parameters of a GET: percent-decoded, repeatable.
class Query {
 public:
  /// Fails on malformed percent-encoding and invalid UTF-8.
  static Result<Query> parse(std::string_view raw);

  std::optional<std::string> text(std::string_view name) const;
  Result<std::string> required(std::string_view name) const;
  /// All values of `name` and of `name[]`.
  std::vector<std::string> list(std::string_view name) const;
  /// A decimal integer in [min, max]; nothing if absent.
  Result<std::optional<std::int64_t>> integer(std::string_view name, std::int64_t min,
                                              std::int64_t max) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

/// A JSON object, or a member of one. Cheap to copy; valid while the Body it came from lives.
class Fields {
 public:
  Result<std::string> text(std::string_view name) const;  // required, any length
  Result<std::optional<std::string>> maybe_text(std::string_view name) const;
  Result<std::optional<std::int64_t>> maybe_integer(std::string_view name) const;
  Result<std::int64_t> integer(std::string_view name) const;
  Result<bool> boolean(std::string_view name) const;
  Result<std::optional<bool>> maybe_boolean(std::string_view name) const;
  Result<std::vector<std::string>> maybe_texts(std::string_view name) const;
  /// {"$bytes": …} or a string; standard or URL-safe base64, padded or not (contract README 2).
  Result<std::optional<Bytes>> maybe_bytes(std::string_view name) const;
  Result<Bytes> bytes(std::string_view name) const;
  /// Nothing if absent or null.
  Result<std::optional<Fields>> maybe_object(std::string_view name) const;
  Result<std::vector<Fields>> maybe_objects(std::string_view name) const;

 private:
  friend class Body;
  struct Node;  // a simdjson element, kept out of this header
  explicit Fields(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  std::shared_ptr<const Node> node_;  // shared: the parsed document lives as long as any view of it
};

/// The parsed body of a POST.
class Body {
 public:
  /// `text` must have simdjson's padding behind its end, as http::Request::body has. Fails unless
  /// it is one JSON object.
  static Result<Body> parse(const std::string& text);
  const Fields& fields() const { return fields_; }
  /// SHA-256 over the canonical form (object keys sorted, no white space): the same request
  /// encoded twice by a client whose maps have no order is the same request.
  core::Hash digest() const;

 private:
  explicit Body(Fields fields) : fields_(std::move(fields)) {}
  Fields fields_;
};

}  // namespace catbird::xrpc
