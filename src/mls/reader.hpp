// SPDX-License-Identifier: MIT
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace catbird::mls {

/// A cursor over foreign bytes in the presentation language of RFC 9420 §2.1. Private to mls/.
///
/// Failure is sticky: the first fault is kept and nothing remains after it, so that later reads
/// give zeros and empty views and loops over `done()` end. A decoder reads straight through and its
/// caller looks at `failed()` once. Names of fields are string literals, for the error only.
class Reader {
 public:
  explicit Reader(ByteView input) : next_(input.data()), end_(input.data() + input.size()) {}

  bool done() const { return next_ == end_; }
  bool failed() const { return why_ != nullptr; }
  /// Where the next byte is, for `since`.
  const std::uint8_t* mark() const { return next_; }
  /// The bytes read since `mark`.
  ByteView since(const std::uint8_t* mark) const { return {mark, next_}; }

  std::uint8_t u8(const char* field) { return static_cast<std::uint8_t>(number(1, field)); }
  std::uint16_t u16(const char* field) { return static_cast<std::uint16_t>(number(2, field)); }
  std::uint32_t u32(const char* field) { return static_cast<std::uint32_t>(number(4, field)); }
  std::uint64_t u64(const char* field) { return number(8, field); }

  /// §2.1.2: the length before a vector, minimal, at most 2^30 - 1.
  std::uint32_t length(const char* field) {
    const auto first = u8(field);
    if (first < 0x40U) return first;
    if (first >= 0xc0U) return reject(field, "length prefix 11");
    const std::size_t more = first < 0x80U ? 1 : 3;
    const auto value = static_cast<std::uint32_t>((std::uint64_t{first & 0x3fU} << (8 * more)) |
                                                  number(more, field));
    const std::uint32_t least = more == 1 ? 0x40U : 0x4000U;
    if (failed() || value < least) return reject(field, "length not minimal");
    return value;
  }
  /// `opaque field<V>`, and the body of every other vector.
  ByteView opaque(const char* field) {
    const std::size_t size = length(field);
    if (size > remaining()) {
      reject(field, "length beyond the input");
      return {};
    }
    next_ += size;
    return {next_ - size, size};
  }
  /// §2.1.1: the presence octet of an optional value.
  bool present(const char* field) {
    const auto octet = u8(field);
    if (octet > 1) reject(field, "presence octet is neither 0 nor 1");
    return octet == 1 && !failed();
  }

  /// Keeps the first fault. Returns 0, so that a reading function can return it.
  std::uint8_t reject(const char* field, const char* why) {
    if (!failed()) {
      field_ = field;
      why_ = why;
    }
    next_ = end_;
    return 0;
  }
  /// Takes over the fault of a reader over a part of this one's bytes.
  void reject_as(const Reader& part) {
    if (part.failed()) reject(part.field_, part.why_);
  }
  /// For whole values: anything left is a fault.
  void finish(const char* field) {
    if (!done()) reject(field, "trailing bytes");
  }
  /// Precondition: failed().
  std::unexpected<Error> failure() const {
    return fail(Errc::malformed_mls, std::string(field_) + ": " + why_);
  }

 private:
  std::size_t remaining() const { return static_cast<std::size_t>(end_ - next_); }

  std::uint64_t number(std::size_t bytes, const char* field) {
    if (remaining() < bytes) return reject(field, "truncated");
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = (value << 8U) | *next_++;
    return value;
  }

  const std::uint8_t* next_;
  const std::uint8_t* end_;
  const char* field_ = nullptr;
  const char* why_ = nullptr;
};

}  // namespace catbird::mls
