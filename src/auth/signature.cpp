// SPDX-License-Identifier: MIT
#include "auth/signature.hpp"

#include "base/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <secp256k1.h>

#include <algorithm>
#include <array>

namespace catbird::auth {
namespace {

constexpr std::size_t scalar_bytes = 32;
constexpr std::size_t signature_bytes = 2 * scalar_bytes;

/// Half the order of P-256, rounded down: the greatest s that is not high.
constexpr std::array<std::uint8_t, scalar_bytes> p256_half_order{
    0x7F, 0xFF, 0xFF, 0xFF, 0x80, 0x00, 0x00, 0x00, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0xDE, 0x73, 0x7D, 0x56, 0xD3, 0x8B, 0xCF, 0x42, 0x79, 0xDC, 0xE5, 0x61, 0x7E, 0x31, 0x92, 0xA8};

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};
using OpensslKey = std::unique_ptr<EVP_PKEY, Free>;
using OpensslContext = std::unique_ptr<EVP_PKEY_CTX, Free>;

class Secp256k1Key final : public PublicKey {
 public:
  explicit Secp256k1Key(const secp256k1_pubkey& key) : key_(key) {}
  Curve curve() const override { return Curve::secp256k1; }
  bool verify(std::string_view message, ByteView signature) const override {
    if (signature.size() != signature_bytes) return false;
    secp256k1_ecdsa_signature parsed;
    if (secp256k1_ecdsa_signature_parse_compact(secp256k1_context_static, &parsed,
                                                signature.data()) != 1) {
      return false;
    }
    // The library's verify accepts only a low s; we must not normalise it first.
    const Sha256 digest = sha256({view_of(message)});
    return secp256k1_ecdsa_verify(secp256k1_context_static, &parsed, digest.data(), &key_) == 1;
  }

 private:
  secp256k1_pubkey key_;
};

/// A scalar as a DER INTEGER, appended to `out`: OpenSSL takes signatures in that form only.
void append_der_integer(Bytes& out, ByteView scalar) {
  while (scalar.size() > 1 && scalar.front() == 0) scalar = scalar.subspan(1);
  const bool needs_zero = (scalar.front() & 0x80) != 0;
  out.push_back(0x02);
  out.push_back(static_cast<std::uint8_t>(scalar.size() + (needs_zero ? 1 : 0)));
  if (needs_zero) out.push_back(0);
  out.insert(out.end(), scalar.begin(), scalar.end());
}

Bytes der_signature(ByteView signature) {
  Bytes der{0x30, 0};
  append_der_integer(der, signature.first(scalar_bytes));
  append_der_integer(der, signature.last(scalar_bytes));
  der[1] = static_cast<std::uint8_t>(der.size() - 2);  // at most 70: one length byte suffices
  return der;
}

class P256Key final : public PublicKey {
 public:
  explicit P256Key(OpensslKey key) : key_(std::move(key)) {}
  Curve curve() const override { return Curve::p256; }
  bool verify(std::string_view message, ByteView signature) const override {
    if (signature.size() != signature_bytes) return false;
    if (std::ranges::lexicographical_compare(p256_half_order, signature.last(scalar_bytes))) {
      return false;
    }
    const bool good = verify_low(message, signature);
    // What OpenSSL leaves behind would be read as a failure of the next TLS call on this thread.
    if (!good) ERR_clear_error();
    return good;
  }

 private:
  bool verify_low(std::string_view message, ByteView signature) const {
    const OpensslContext context(EVP_PKEY_CTX_new(key_.get(), nullptr));
    if (!context || EVP_PKEY_verify_init(context.get()) != 1) return false;
    const Bytes der = der_signature(signature);
    const Sha256 digest = sha256({view_of(message)});
    return EVP_PKEY_verify(context.get(), der.data(), der.size(), digest.data(), digest.size()) ==
           1;
  }

  OpensslKey key_;
};

bool is_sec1_point(ByteView point) {
  if (point.size() == 1 + scalar_bytes) return point[0] == 0x02 || point[0] == 0x03;
  return point.size() == 1 + 2 * scalar_bytes && point[0] == 0x04;
}

std::shared_ptr<const PublicKey> secp256k1_key(ByteView point) {
  secp256k1_pubkey key;
  if (secp256k1_ec_pubkey_parse(secp256k1_context_static, &key, point.data(), point.size()) != 1) {
    return nullptr;
  }
  return std::make_shared<const Secp256k1Key>(key);
}

std::shared_ptr<const PublicKey> p256_key(ByteView point) {
  char group[] = "prime256v1";
  Bytes copy(point.begin(), point.end());  // OpenSSL's parameters are not const
  std::array<OSSL_PARAM, 3> parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
      OSSL_PARAM_construct_end()};
  const OpensslContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  EVP_PKEY* key = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.data()) != 1) {
    ERR_clear_error();
    return nullptr;
  }
  return std::make_shared<const P256Key>(OpensslKey(key));
}

}  // namespace

std::shared_ptr<const PublicKey> PublicKey::from_point(Curve curve, ByteView point) {
  if (!is_sec1_point(point)) return nullptr;
  return curve == Curve::p256 ? p256_key(point) : secp256k1_key(point);
}

bool equal_in_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace catbird::auth
