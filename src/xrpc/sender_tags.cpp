// SPDX-License-Identifier: MIT
#include "xrpc/sender_tags.hpp"

#include <algorithm>
#include <string_view>

namespace catbird::xrpc {

core::SenderTag SenderTags::of(const core::ConvoId& convo, const core::Did& user) const {
  // Neither part can hold the separator: hex, and a DID.
  constexpr std::string_view separator = "\n";
  const auto mac = key_.of({view_of("catbird sender tag\n"), view_of(convo.value),
                            view_of(separator), view_of(user.value)});
  core::SenderTag tag{};
  std::copy_n(mac.begin(), tag.size(), tag.begin());
  return tag;
}

}  // namespace catbird::xrpc
