// SPDX-License-Identifier: MIT
#include "base/digest.hpp"

#include "base/check.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

namespace catbird {

namespace {

struct ContextDeleter {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

/// For the whole process, never given back: it is used until the last thread ends.
const EVP_MD* algorithm() {
  static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  return found;
}

EVP_MD_CTX* begun() {
  static thread_local const std::unique_ptr<EVP_MD_CTX, ContextDeleter> context(EVP_MD_CTX_new());
  CATBIRD_CHECK(context && EVP_DigestInit_ex2(context.get(), algorithm(), nullptr) == 1);
  return context.get();
}

void add(EVP_MD_CTX* context, ByteView part) {
  CATBIRD_CHECK(EVP_DigestUpdate(context, part.data(), part.size()) == 1);
}

Sha256 ended(EVP_MD_CTX* context) {
  Sha256 out{};
  CATBIRD_CHECK(EVP_DigestFinal_ex(context, out.data(), nullptr) == 1);
  return out;
}

}  // namespace

Sha256 sha256(std::initializer_list<ByteView> parts) {
  auto* context = begun();
  for (const auto part : parts) add(context, part);
  return ended(context);
}

HmacSha256::HmacSha256(ByteView key) {
  constexpr std::uint8_t inner_pad = 0x36;
  constexpr std::uint8_t outer_pad = 0x5c;
  Block block{};
  if (key.size() > block.size()) {
    std::ranges::copy(sha256({key}), block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  for (std::size_t i = 0; i < block.size(); ++i) {
    inner_[i] = block[i] ^ inner_pad;
    outer_[i] = block[i] ^ outer_pad;
  }
}

Sha256 HmacSha256::of(std::initializer_list<ByteView> parts) const {
  auto* context = begun();
  add(context, inner_);
  for (const auto part : parts) add(context, part);
  const auto inside = ended(context);
  return sha256({outer_, inside});
}

}  // namespace catbird
