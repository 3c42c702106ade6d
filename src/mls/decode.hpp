// SPDX-License-Identifier: MIT
#pragma once

#include "mls/reader.hpp"
#include "mls/types.hpp"

namespace catbird::mls {

// One decoder for each structure of types.hpp. Private to mls/: parse.hpp is what others call. Each
// takes at least one byte or fails, so a loop over a vector always ends. On failure `out` holds
// nothing to rely on.

void decode(Reader& in, std::uint16_t& out);
void decode(Reader& in, std::uint32_t& out);
void decode(Reader& in, ByteView& out);

// decode_leaf.cpp
void decode(Reader& in, Extension& out);
void decode(Reader& in, LeafNode& out);
void decode(Reader& in, KeyPackage& out);
void decode(Reader& in, std::optional<TreeNode>& out);
void decode(Reader& in, RatchetTree& out);

// decode_commit.cpp
void decode(Reader& in, HpkeCiphertext& out);
void decode(Reader& in, UpdatePathNode& out);
void decode(Reader& in, Proposal& out);
void decode(Reader& in, ProposalOrRef& out);
void decode(Reader& in, Commit& out);

// decode_message.cpp
void decode(Reader& in, EncryptedGroupSecrets& out);
void decode(Reader& in, Welcome& out);
void decode(Reader& in, GroupInfo& out);
void decode(Reader& in, MlsMessage& out);

/// Checks every item of a vector, once and for all: see List.
template <class T>
void decode_list(Reader& in, List<T>& out, const char* field) {
  const auto items = in.opaque(field);
  std::size_t count = 0;
  Reader body(items);
  while (!body.done()) {
    T item{};
    decode(body, item);
    ++count;
  }
  if (body.failed()) return in.reject_as(body);
  out = List<T>(items, count);
}

}  // namespace catbird::mls
