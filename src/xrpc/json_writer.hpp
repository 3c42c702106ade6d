// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace catbird::xrpc {

/// Appends JSON to a string, without a tree. Optional fields are simply not written (contract
/// README 1: omitted, never null). Invalid UTF-8 cannot get in: all text came through simdjson or
/// is ours.
class JsonWriter {
 public:
  JsonWriter& open() { return punctuate('{'); }
  JsonWriter& close() { return end('}'); }
  JsonWriter& open_list() { return punctuate('['); }
  JsonWriter& close_list() { return end(']'); }

  JsonWriter& key(std::string_view name) {
    separate();
    quote(name);
    out_.push_back(':');
    fresh_ = true;
    return *this;
  }
  JsonWriter& text(std::string_view value) {
    separate();
    quote(value);
    return *this;
  }
  template <class Int>
    requires std::is_integral_v<Int> && (!std::is_same_v<Int, bool>)
  JsonWriter& number(Int value) {
    separate();
    out_.append(std::to_string(value));
    return *this;
  }
  JsonWriter& boolean(bool value) {
    separate();
    out_.append(value ? "true" : "false");
    return *this;
  }
  /// {"$bytes":"<standard base64>"} (contract README 2).
  JsonWriter& bytes(ByteView value) {
    separate();
    out_.append("{\"$bytes\":\"").append(to_base64(value)).append("\"}");
    return *this;
  }
  /// A plain base64 string, for the blobs the lexicon declares as strings.
  JsonWriter& base64(ByteView value) { return text(to_base64(value)); }

  std::string take() { return std::move(out_); }
  std::size_t size() const { return out_.size(); }

 private:
  JsonWriter& punctuate(char c) {
    separate();
    out_.push_back(c);
    fresh_ = true;
    return *this;
  }
  JsonWriter& end(char c) {
    out_.push_back(c);
    fresh_ = false;
    return *this;
  }
  void separate() {
    if (!fresh_) out_.push_back(',');
    fresh_ = false;
  }
  void quote(std::string_view value);

  std::string out_;
  bool fresh_ = true;
};

}  // namespace catbird::xrpc
