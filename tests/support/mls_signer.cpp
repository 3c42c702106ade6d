// SPDX-License-Identifier: MIT
#include "support/mls_signer.hpp"

#include "base/check.hpp"
#include "mls/verify.hpp"
#include "support/mls_encode.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <string>

namespace catbird::testing {
namespace {

constexpr std::uint16_t suite_p256 = 2;

void free_key(void* key) { EVP_PKEY_free(static_cast<EVP_PKEY*>(key)); }

}  // namespace

Signer::Signer(std::uint16_t suite, std::string_view seed) : suite_(suite) {
  CATBIRD_CHECK(suite == 1 || suite == suite_p256 || suite == 3 || suite == 0x004d);
  EVP_PKEY* key = nullptr;
  std::size_t size = 0;
  if (suite == suite_p256) {
    key = EVP_EC_gen("P-256");
    CATBIRD_CHECK(key != nullptr);
    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &size);
    public_key_.resize(size);
    EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, public_key_.data(), size, &size);
  } else {
    const auto secret = mls::sha256(view_of(seed));
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret.data(), secret.size());
    CATBIRD_CHECK(key != nullptr);
    public_key_.resize(size = 32);
    EVP_PKEY_get_raw_public_key(key, public_key_.data(), &size);
  }
  key_ = std::shared_ptr<void>(key, free_key);
}

Bytes Signer::sign(std::string_view label, ByteView content) const {
  const auto message =
      Writer().opaque(view_of(std::string("MLS 1.0 ").append(label))).opaque(content).take();
  auto* key = static_cast<EVP_PKEY*>(key_.get());
  auto* context = EVP_MD_CTX_new();
  const auto* hash = suite_ == suite_p256 ? EVP_sha256() : nullptr;
  CATBIRD_CHECK(EVP_DigestSignInit(context, nullptr, hash, nullptr, key) == 1);
  std::size_t size = 0;
  CATBIRD_CHECK(EVP_DigestSign(context, nullptr, &size, message.data(), message.size()) == 1);
  Bytes out(size);
  CATBIRD_CHECK(EVP_DigestSign(context, out.data(), &size, message.data(), message.size()) == 1);
  EVP_MD_CTX_free(context);
  out.resize(size);  // DER signatures are shorter than their bound.
  return out;
}

}  // namespace catbird::testing
