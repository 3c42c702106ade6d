// SPDX-License-Identifier: MIT
#include "mls/list.hpp"

#include "base/check.hpp"
#include "mls/decode.hpp"

namespace catbird::mls::detail {

template <class T>
std::size_t decode_item(ByteView items, T& item) {
  Reader in(items);
  decode(in, item);
  // Not client input any more: the parser that filled the List has accepted these very bytes.
  CATBIRD_CHECK(!in.failed());
  return in.since(items.data()).size();
}

template std::size_t decode_item(ByteView, ByteView&);
template std::size_t decode_item(ByteView, std::uint16_t&);
template std::size_t decode_item(ByteView, std::uint32_t&);
template std::size_t decode_item(ByteView, Extension&);
template std::size_t decode_item(ByteView, std::optional<TreeNode>&);
template std::size_t decode_item(ByteView, HpkeCiphertext&);
template std::size_t decode_item(ByteView, UpdatePathNode&);
template std::size_t decode_item(ByteView, ProposalOrRef&);
template std::size_t decode_item(ByteView, EncryptedGroupSecrets&);

}  // namespace catbird::mls::detail
