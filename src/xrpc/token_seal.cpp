// SPDX-License-Identifier: MIT
#include "xrpc/token_seal.hpp"

#include "base/check.hpp"
#include "base/digest.hpp"
#include "xrpc/shapes.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <memory>

namespace catbird::xrpc {

namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t tag_bytes = 16;

struct CipherDeleter {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, CipherDeleter>;

int size_of(std::size_t size) { return static_cast<int>(size); }

}  // namespace

TokenSeal::TokenSeal(const Bytes& secret) {
  const auto key = HmacSha256(secret).of({view_of("catbird push token\n")});
  key_.assign(key.begin(), key.end());
}

Bytes TokenSeal::seal(const core::Caller& device, std::string_view token) const {
  const Cipher cipher(EVP_CIPHER_CTX_new());
  CATBIRD_CHECK(cipher != nullptr);
  Bytes out(nonce_bytes + token.size() + tag_bytes);
  CATBIRD_CHECK(RAND_bytes(out.data(), size_of(nonce_bytes)) == 1);
  const auto about = device_did(device.user, device.device);
  const auto about_bytes = view_of(about);
  const auto plain = view_of(token);
  int written = 0;
  int ended = 0;
  const bool done =
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(), out.data()) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &written, about_bytes.data(),
                        size_of(about_bytes.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), out.data() + nonce_bytes, &written, plain.data(),
                        size_of(plain.size())) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), out.data() + nonce_bytes + written, &ended) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, size_of(tag_bytes),
                          out.data() + nonce_bytes + token.size()) == 1;
  CATBIRD_CHECK(done);
  return out;
}

std::optional<std::string> TokenSeal::open(const core::Caller& device, ByteView sealed) const {
  if (sealed.size() < nonce_bytes + tag_bytes) return std::nullopt;
  const Cipher cipher(EVP_CIPHER_CTX_new());
  CATBIRD_CHECK(cipher != nullptr);
  const auto body = sealed.subspan(nonce_bytes, sealed.size() - nonce_bytes - tag_bytes);
  Bytes tag(sealed.end() - tag_bytes, sealed.end());
  const auto about = device_did(device.user, device.device);
  const auto about_bytes = view_of(about);
  Bytes plain(body.size() + 1);  // never an empty buffer
  int written = 0;
  int ended = 0;
  const bool done = EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key_.data(),
                                       sealed.data()) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), nullptr, &written, about_bytes.data(),
                                      size_of(about_bytes.size())) == 1 &&
                    EVP_DecryptUpdate(cipher.get(), plain.data(), &written, body.data(),
                                      size_of(body.size())) == 1 &&
                    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, size_of(tag_bytes),
                                        tag.data()) == 1 &&
                    EVP_DecryptFinal_ex(cipher.get(), plain.data() + written, &ended) == 1;
  if (!done) return std::nullopt;
  const auto size = static_cast<std::size_t>(written) + static_cast<std::size_t>(ended);
  return std::string(text_of(ByteView(plain).first(size)));
}

}  // namespace catbird::xrpc
