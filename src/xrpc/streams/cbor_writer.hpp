// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace catbird::xrpc {

/// Appends DAG-CBOR: definite lengths, shortest integers, byte strings as major type 2. Maps are
/// made of CborMap, which puts the keys in their one order.
class CborWriter {
 public:
  CborWriter& text(std::string_view value);
  CborWriter& bytes(ByteView value);
  CborWriter& number(std::uint64_t value);
  CborWriter& boolean(bool value);
  Bytes take() { return std::move(out_); }

 private:
  friend class CborMap;
  void head(std::uint8_t major, std::uint64_t value);
  void append(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

  Bytes out_;
};

/// A map whose keys come out sorted by length, then byte by byte, whatever order they are set in.
class CborMap {
 public:
  CborMap& text(std::string_view key, std::string_view value);
  CborMap& bytes(std::string_view key, ByteView value);
  CborMap& number(std::string_view key, std::uint64_t value);
  CborMap& boolean(std::string_view key, bool value);
  CborMap& map(std::string_view key, CborMap value);
  Bytes take();

 private:
  struct ByLength {
    bool operator()(const std::string& a, const std::string& b) const {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    }
  };
  CborMap& put(std::string_view key, CborWriter value);
  std::map<std::string, Bytes, ByLength> entries_;
};

}  // namespace catbird::xrpc
