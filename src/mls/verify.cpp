// SPDX-License-Identifier: MIT
#include "mls/verify.hpp"

#include "base/check.hpp"
#include "base/digest.hpp"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <string>

namespace catbird::mls {
namespace {

enum class Hash : std::uint8_t { sha256, sha384, sha512 };
enum class Scheme : std::uint8_t { ed25519, ed448, p256, p384, p521 };

struct Suite {
  SuiteInfo info;
  Scheme scheme;
  Hash hash;
};

/// RFC 9420 §17.1. The size of an X-Wing key is left to its draft, which may still change.
constexpr Suite suites[] = {
    {{0x0001, "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519", 32}, Scheme::ed25519, Hash::sha256},
    {{0x0002, "MLS_128_DHKEMP256_AES128GCM_SHA256_P256", 65}, Scheme::p256, Hash::sha256},
    {{0x0003, "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519", 32},
     Scheme::ed25519,
     Hash::sha256},
    {{0x0004, "MLS_256_DHKEMX448_AES256GCM_SHA512_Ed448", 56}, Scheme::ed448, Hash::sha512},
    {{0x0005, "MLS_256_DHKEMP521_AES256GCM_SHA512_P521", 133}, Scheme::p521, Hash::sha512},
    {{0x0006, "MLS_256_DHKEMX448_CHACHA20POLY1305_SHA512_Ed448", 56}, Scheme::ed448, Hash::sha512},
    {{0x0007, "MLS_256_DHKEMP384_AES256GCM_SHA384_P384", 97}, Scheme::p384, Hash::sha384},
    {{0x004d, "MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519", 0}, Scheme::ed25519, Hash::sha256},
};

const Suite* find_suite(std::uint16_t id) {
  const auto* found =
      std::ranges::find_if(suites, [id](const Suite& s) { return s.info.id == id; });
  return found == std::end(suites) ? nullptr : found;
}

const EVP_MD* digest(Hash hash) {
  switch (hash) {
    case Hash::sha256:
      return EVP_sha256();
    case Hash::sha384:
      return EVP_sha384();
    case Hash::sha512:
      return EVP_sha512();
  }
  return nullptr;
}

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

Key raw_key(int type, ByteView bytes) {
  return Key(EVP_PKEY_new_raw_public_key(type, nullptr, bytes.data(), bytes.size()));
}

/// RFC 9420 §5.1.1: the uncompressed point. OpenSSL refuses one that is not on the curve.
Key point_key(const char* curve, std::size_t point_bytes, ByteView bytes) {
  constexpr std::uint8_t uncompressed = 0x04;
  if (bytes.size() != point_bytes || bytes[0] != uncompressed) return nullptr;
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1) return nullptr;
  // OpenSSL's parameter lists are not const; it only reads these.
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(curve), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        const_cast<std::uint8_t*>(bytes.data()), bytes.size()),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params) != 1) return nullptr;
  return Key(key);
}

Key public_key_of(Scheme scheme, ByteView bytes) {
  switch (scheme) {
    case Scheme::ed25519:
      return raw_key(EVP_PKEY_ED25519, bytes);
    case Scheme::ed448:
      return raw_key(EVP_PKEY_ED448, bytes);
    case Scheme::p256:
      return point_key("P-256", 65, bytes);
    case Scheme::p384:
      return point_key("P-384", 97, bytes);
    case Scheme::p521:
      return point_key("P-521", 133, bytes);
  }
  return nullptr;
}

/// Leaves OpenSSL's error queue of this thread as it was: what a refused signature puts there would
/// be taken for a fault of the TLS connection served next.
class KeepErrorQueue {
 public:
  KeepErrorQueue() { ERR_set_mark(); }
  ~KeepErrorQueue() { ERR_pop_to_mark(); }
  KeepErrorQueue(const KeepErrorQueue&) = delete;
  KeepErrorQueue& operator=(const KeepErrorQueue&) = delete;
};

bool verify(const Suite& suite, ByteView key_bytes, ByteView content, ByteView signature) {
  const KeepErrorQueue keep;
  const auto key = public_key_of(suite.scheme, key_bytes);
  const DigestContext context(EVP_MD_CTX_new());
  if (!key || !context) return false;
  const bool edwards = suite.scheme == Scheme::ed25519 || suite.scheme == Scheme::ed448;
  const auto* hash = edwards ? nullptr : digest(suite.hash);
  return EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), content.data(),
                          content.size()) == 1;
}

/// Appends `opaque value<V>` (RFC 9420 §2.1.2). Precondition: under 2^30 bytes.
void append_vector(Bytes& out, ByteView value) {
  const auto size = value.size();
  if (size >= 0x4000U) {
    out.push_back(static_cast<std::uint8_t>(0x80U | (size >> 24U)));
    out.push_back(static_cast<std::uint8_t>(size >> 16U));
  }
  if (size >= 0x40U) {
    const auto flag = size < 0x4000U ? 0x40U : 0U;
    out.push_back(static_cast<std::uint8_t>(flag | ((size >> 8U) & 0xffU)));
  }
  out.push_back(static_cast<std::uint8_t>(size));
  out.insert(out.end(), value.begin(), value.end());
}

void append_u32(Bytes& out, std::uint32_t value) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

}  // namespace

const SuiteInfo* suite_by_id(std::uint16_t id) {
  const auto* suite = find_suite(id);
  return suite == nullptr ? nullptr : &suite->info;
}

const SuiteInfo* suite_by_name(std::string_view name) {
  const auto* found =
      std::ranges::find_if(suites, [name](const Suite& s) { return s.info.name == name; });
  return found == std::end(suites) ? nullptr : &found->info;
}

std::array<std::uint8_t, 32> sha256(ByteView data) { return catbird::sha256({data}); }

Result<Bytes> ref_hash(std::uint16_t suite_id, std::string_view label, ByteView value) {
  const auto* suite = find_suite(suite_id);
  if (suite == nullptr) return fail(Errc::invalid_cipher_suite, "unknown cipher suite");
  Bytes input;
  append_vector(input, view_of(label));
  append_vector(input, value);
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (EVP_Digest(input.data(), input.size(), out.data(), &size, digest(suite->hash), nullptr) !=
      1) {
    return fail(Errc::internal, "hashing failed");
  }
  out.resize(size);
  return out;
}

Result<Bytes> key_package_ref(const KeyPackage& package) {
  return ref_hash(package.cipher_suite, "MLS 1.0 KeyPackage Reference", package.raw);
}

bool verify_with_label(std::uint16_t suite_id, ByteView public_key, std::string_view label,
                       ByteView content, ByteView signature) {
  const auto* suite = find_suite(suite_id);
  if (suite == nullptr) return false;
  Bytes sign_content;
  append_vector(sign_content, view_of(std::string("MLS 1.0 ").append(label)));
  append_vector(sign_content, content);
  return verify(*suite, public_key, sign_content, signature);
}

bool verify_leaf(std::uint16_t suite, const LeafNode& leaf, ByteView group_id,
                 std::uint32_t leaf_index) {
  Bytes tbs(leaf.tbs.begin(), leaf.tbs.end());
  if (leaf.source != LeafSource::key_package) {
    append_vector(tbs, group_id);
    append_u32(tbs, leaf_index);
  }
  return verify_with_label(suite, leaf.signature_key, "LeafNodeTBS", tbs, leaf.signature);
}

bool verify_public_message(std::uint16_t suite, const PublicMessage& message, ByteView signer_key,
                           ByteView group_context) {
  // FramedContentTBS (§6.1): version mls10, wire_format public_message, content, context.
  Bytes tbs{0, 1, 0, 1};
  tbs.insert(tbs.end(), message.framed_content.begin(), message.framed_content.end());
  if (message.sender.type == SenderType::member ||
      message.sender.type == SenderType::new_member_commit) {
    tbs.insert(tbs.end(), group_context.begin(), group_context.end());
  }
  return verify_with_label(suite, signer_key, "FramedContentTBS", tbs, message.signature);
}

bool verify_group_info(const GroupInfo& info, ByteView signer_key) {
  return verify_with_label(info.context.cipher_suite, signer_key, "GroupInfoTBS", info.tbs,
                           info.signature);
}

}  // namespace catbird::mls
