// SPDX-License-Identifier: MIT
#pragma once

#include "mls/types.hpp"

#include <cstdint>

// The other direction of mls/parse.hpp, for tests only: the server never writes MLS. It shares no
// code with the reader, so that a value which survives reading and writing was understood.

namespace catbird::testing {

/// Appends values in the presentation language of RFC 9420 §2.1.
class Writer {
 public:
  Writer& u8(std::uint8_t value) { return number(value, 1); }
  Writer& u16(std::uint16_t value) { return number(value, 2); }
  Writer& u32(std::uint32_t value) { return number(value, 4); }
  Writer& u64(std::uint64_t value) { return number(value, 8); }
  /// §2.1.2, minimal. Precondition: under 2^30.
  Writer& length(std::size_t value);
  Writer& raw(ByteView bytes);
  /// `opaque value<V>`.
  Writer& opaque(ByteView value) { return length(value.size()).raw(value); }

  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Writer& number(std::uint64_t value, unsigned bytes);

  Bytes bytes_;
};

/// The encoding of a parsed value, built from its fields and not from its `raw` or `tbs` views.
Bytes encode(const mls::Extension& value);
Bytes encode(const mls::LeafNode& value);
Bytes encode(const mls::KeyPackage& value);
Bytes encode(const mls::RatchetTree& value);
/// With its proposal type, as in a Commit.
Bytes encode(const mls::Proposal& value);
Bytes encode(const mls::Commit& value);
Bytes encode(const mls::Welcome& value);
Bytes encode(const mls::GroupInfo& value);
Bytes encode(const mls::MlsMessage& value);

}  // namespace catbird::testing
