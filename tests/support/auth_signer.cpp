// SPDX-License-Identifier: MIT
#include "support/auth_signer.hpp"

#include "base/check.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <secp256k1.h>

#include <algorithm>
#include <array>

namespace catbird::test {
namespace {

constexpr std::size_t scalar_bytes = 32;

/// a - b, big-endian, both of 32 bytes.
Bytes minus(ByteView a, ByteView b) {
  Bytes difference(scalar_bytes);
  int borrow = 0;
  for (std::size_t i = scalar_bytes; i-- > 0;) {
    const int digit = a[i] - b[i] - borrow;
    borrow = digit < 0 ? 1 : 0;
    difference[i] = static_cast<std::uint8_t>(digit + borrow * 256);
  }
  return difference;
}

std::array<std::uint8_t, SHA256_DIGEST_LENGTH> sha256(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(view_of(text).data(), text.size(), digest.data());
  return digest;
}

class Es256kSigner final : public Signer {
 public:
  Es256kSigner() : context_(secp256k1_context_create(SECP256K1_CONTEXT_NONE)) {
    do {
      CATBIRD_CHECK(RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) == 1);
    } while (secp256k1_ec_seckey_verify(context_, secret_.data()) != 1);
  }
  ~Es256kSigner() override { secp256k1_context_destroy(context_); }
  Es256kSigner(const Es256kSigner&) = delete;
  Es256kSigner& operator=(const Es256kSigner&) = delete;

  std::string alg() const override { return "ES256K"; }
  Bytes order() const override {
    return *from_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
  }
  Bytes uncompressed_point() const override {
    secp256k1_pubkey key;
    CATBIRD_CHECK(secp256k1_ec_pubkey_create(context_, &key, secret_.data()) == 1);
    Bytes point(65);
    std::size_t size = point.size();
    secp256k1_ec_pubkey_serialize(context_, point.data(), &size, &key, SECP256K1_EC_UNCOMPRESSED);
    return point;
  }
  Bytes sign(std::string_view text) const override {
    secp256k1_ecdsa_signature signature;
    const auto digest = sha256(text);
    CATBIRD_CHECK(secp256k1_ecdsa_sign(context_, &signature, digest.data(), secret_.data(), nullptr,
                                       nullptr) == 1);
    Bytes compact(2 * scalar_bytes);
    secp256k1_ecdsa_signature_serialize_compact(context_, compact.data(), &signature);
    return compact;
  }

 private:
  secp256k1_context* context_;
  std::array<std::uint8_t, scalar_bytes> secret_{};
};

/// One INTEGER of a DER signature as 32 bytes; moves `der` behind it.
Bytes take_integer(ByteView& der) {
  const std::size_t size = der[1];
  ByteView value = der.subspan(2, size);
  while (value.size() > scalar_bytes) value = value.subspan(1);
  Bytes scalar(scalar_bytes - value.size());
  scalar.insert(scalar.end(), value.begin(), value.end());
  der = der.subspan(2 + size);
  return scalar;
}

class Es256Signer final : public Signer {
 public:
  Es256Signer() : key_(EVP_EC_gen("P-256")) { CATBIRD_CHECK(key_ != nullptr); }
  ~Es256Signer() override { EVP_PKEY_free(key_); }
  Es256Signer(const Es256Signer&) = delete;
  Es256Signer& operator=(const Es256Signer&) = delete;

  std::string alg() const override { return "ES256"; }
  Bytes order() const override {
    return *from_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
  }
  Bytes uncompressed_point() const override {
    Bytes point(65);
    std::size_t size = 0;
    CATBIRD_CHECK(EVP_PKEY_get_octet_string_param(key_, OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                                  point.size(), &size) == 1);
    CATBIRD_CHECK(size == point.size());
    return point;
  }
  Bytes sign(std::string_view text) const override {
    EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key_, nullptr);
    CATBIRD_CHECK(EVP_PKEY_sign_init(context) == 1);
    const auto digest = sha256(text);
    Bytes der(80);
    std::size_t size = der.size();
    CATBIRD_CHECK(EVP_PKEY_sign(context, der.data(), &size, digest.data(), digest.size()) == 1);
    EVP_PKEY_CTX_free(context);
    ByteView rest = ByteView(der).subspan(2, size - 2);
    Bytes signature = take_integer(rest);
    Bytes s = take_integer(rest);
    const Bytes other = minus(order(), s);
    const Bytes& low = std::min(s, other);
    signature.insert(signature.end(), low.begin(), low.end());
    return signature;
  }

 private:
  EVP_PKEY* key_;
};

}  // namespace

std::unique_ptr<Signer> Signer::es256k() { return std::make_unique<Es256kSigner>(); }
std::unique_ptr<Signer> Signer::es256() { return std::make_unique<Es256Signer>(); }

Bytes Signer::compressed_point() const {
  const Bytes whole = uncompressed_point();
  Bytes point(whole.begin(), whole.begin() + 1 + scalar_bytes);
  point[0] = static_cast<std::uint8_t>(0x02 + (whole.back() & 1));
  return point;
}

std::string Signer::multikey() const {
  Bytes bytes = alg() == "ES256" ? Bytes{0x80, 0x24} : Bytes{0xE7, 0x01};
  const Bytes point = compressed_point();
  bytes.insert(bytes.end(), point.begin(), point.end());
  return to_multibase(bytes);
}

std::string Signer::jwk() const {
  const Bytes point = uncompressed_point();
  return R"({"kty":"EC","crv":")" + std::string(alg() == "ES256" ? "P-256" : "secp256k1") +
         R"(","x":")" + to_base64url(ByteView(point).subspan(1, scalar_bytes)) + R"(","y":")" +
         to_base64url(ByteView(point).last(scalar_bytes)) + R"("})";
}

std::string to_multibase(ByteView bytes) {
  constexpr std::string_view alphabet =
      "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  std::string text;
  Bytes rest(bytes.begin(), bytes.end());
  while (std::ranges::any_of(rest, [](std::uint8_t byte) { return byte != 0; })) {
    unsigned remainder = 0;
    for (auto& byte : rest) {
      remainder = remainder * 256 + byte;
      byte = static_cast<std::uint8_t>(remainder / 58);
      remainder %= 58;
    }
    text.push_back(alphabet[remainder]);
  }
  for (std::size_t i = 0; i < bytes.size() && bytes[i] == 0; ++i) text.push_back('1');
  text.push_back('z');
  std::ranges::reverse(text);
  return text;
}

Bytes with_high_s(Bytes signature, ByteView order) {
  const Bytes high = minus(order, ByteView(signature).last(scalar_bytes));
  std::ranges::copy(high, signature.begin() + scalar_bytes);
  return signature;
}

std::string did_document(std::string_view did, std::string_view multikey) {
  std::string text = R"({"@context":["https://www.w3.org/ns/did/v1"],"id":"DID","alsoKnownAs":[],)"
                     R"("verificationMethod":[{"id":"DID#atproto","type":"Multikey",)"
                     R"("controller":"DID","publicKeyMultibase":"KEY"}],"service":[]})";
  for (auto at = text.find("DID"); at != std::string::npos;
       at = text.find("DID", at + did.size())) {
    text.replace(at, 3, did);
  }
  return text.replace(text.find("KEY"), 3, multikey);
}

std::string sign_token(const Signer& signer, std::string_view header, std::string_view claims) {
  std::string token = to_base64url(view_of(header)) + "." + to_base64url(view_of(claims));
  return token + "." + to_base64url(signer.sign(token));
}

}  // namespace catbird::test
