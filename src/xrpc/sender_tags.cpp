// SPDX-License-Identifier: MIT
#include "xrpc/sender_tags.hpp"

#include "base/check.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <string>

namespace catbird::xrpc {

core::SenderTag SenderTags::of(const core::ConvoId& convo, const core::Did& user) const {
  // Neither part can hold the separator: hex, and a DID.
  const std::string text = "catbird sender tag\n" + convo.value + "\n" + user.value;
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  const auto* made =
      HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data(), &size);
  core::SenderTag tag{};
  CATBIRD_CHECK(made != nullptr && size >= tag.size());
  std::copy_n(out.begin(), tag.size(), tag.begin());
  return tag;
}

}  // namespace catbird::xrpc
