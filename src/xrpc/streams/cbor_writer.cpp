// SPDX-License-Identifier: MIT
#include "xrpc/streams/cbor_writer.hpp"

#include <utility>

namespace catbird::xrpc {

namespace {
constexpr std::uint8_t major_number = 0;
constexpr std::uint8_t major_bytes = 2;
constexpr std::uint8_t major_text = 3;
constexpr std::uint8_t major_map = 5;
constexpr std::uint8_t false_byte = 0xf4;
constexpr std::uint8_t true_byte = 0xf5;
}  // namespace

void CborWriter::head(std::uint8_t major, std::uint64_t value) {
  const auto type = static_cast<std::uint8_t>(major << 5U);
  if (value < 24) {
    out_.push_back(static_cast<std::uint8_t>(type | value));
    return;
  }
  // 24, 25, 26, 27: one, two, four, eight bytes follow.
  const unsigned power = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
  out_.push_back(static_cast<std::uint8_t>(type | (24U + power)));
  for (unsigned byte = 1U << power; byte-- > 0;) {
    out_.push_back(static_cast<std::uint8_t>(value >> (8 * byte)));
  }
}

CborWriter& CborWriter::text(std::string_view value) {
  head(major_text, value.size());
  append(view_of(value));
  return *this;
}
CborWriter& CborWriter::bytes(ByteView value) {
  head(major_bytes, value.size());
  append(value);
  return *this;
}
CborWriter& CborWriter::number(std::uint64_t value) {
  head(major_number, value);
  return *this;
}
CborWriter& CborWriter::boolean(bool value) {
  out_.push_back(value ? true_byte : false_byte);
  return *this;
}

CborMap& CborMap::put(std::string_view key, CborWriter value) {
  entries_.insert_or_assign(std::string(key), value.take());
  return *this;
}
CborMap& CborMap::text(std::string_view key, std::string_view value) {
  return put(key, std::move(CborWriter().text(value)));
}
CborMap& CborMap::bytes(std::string_view key, ByteView value) {
  return put(key, std::move(CborWriter().bytes(value)));
}
CborMap& CborMap::number(std::string_view key, std::uint64_t value) {
  return put(key, std::move(CborWriter().number(value)));
}
CborMap& CborMap::boolean(std::string_view key, bool value) {
  return put(key, std::move(CborWriter().boolean(value)));
}
CborMap& CborMap::map(std::string_view key, CborMap value) {
  entries_.insert_or_assign(std::string(key), value.take());
  return *this;
}

Bytes CborMap::take() {
  CborWriter out;
  out.head(major_map, entries_.size());
  for (const auto& [key, value] : entries_) {
    out.text(key);
    out.append(value);
  }
  return out.take();
}

}  // namespace catbird::xrpc
