// SPDX-License-Identifier: MIT
#include "auth/did_document.hpp"

#include "auth/multikey.hpp"
#include "support/auth_signer.hpp"

#include <gtest/gtest.h>

#include <random>

namespace catbird::auth {
namespace {

using test::Signer;

const std::string did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";

std::string document(const std::string& methods) {
  return R"({"id":")" + did + R"(","verificationMethod":[)" + methods + "]}";
}
std::string multikey_method(const std::string& id, const Signer& signer) {
  return R"({"id":")" + id + R"(","type":"Multikey","controller":")" + did +
         R"(","publicKeyMultibase":")" + signer.multikey() + R"("})";
}

/// "ok" if the document gives the key of `signer`.
std::string read(const std::string& json, const Signer& signer) {
  const auto key = key_of_document(json, did);
  if (!key) return key.error().detail;
  return (*key)->verify("text", signer.sign("text")) ? "ok" : "another key";
}

class DidDocument : public testing::TestWithParam<std::unique_ptr<Signer> (*)()> {};
INSTANTIATE_TEST_SUITE_P(BothCurves, DidDocument, testing::Values(&Signer::es256k, &Signer::es256));

TEST_P(DidDocument, gives_its_key_in_every_form_in_use) {
  const auto signer = GetParam()();
  const std::string old_type = signer->alg() == "ES256" ? "EcdsaSecp256r1VerificationKey2019"
                                                        : "EcdsaSecp256k1VerificationKey2019";
  const auto bare = [&](ByteView point) {
    return document(R"({"id":"#atproto","type":")" + old_type + R"(","publicKeyMultibase":")" +
                    test::to_multibase(point) + R"("})");
  };

  EXPECT_EQ(read(test::did_document(did, signer->multikey()), *signer), "ok");
  EXPECT_EQ(read(document(multikey_method("#atproto", *signer)), *signer), "ok");
  EXPECT_EQ(read(bare(signer->compressed_point()), *signer), "ok");
  EXPECT_EQ(read(bare(signer->uncompressed_point()), *signer), "ok");
  EXPECT_EQ(read(document(R"({"id":"#atproto","type":"JsonWebKey2020","publicKeyJwk":)" +
                          signer->jwk() + "}"),
                 *signer),
            "ok");
}

TEST_P(DidDocument, gives_the_method_named_atproto_wherever_it_stands) {
  const auto signer = GetParam()();
  const auto other = GetParam()();
  const std::string before = multikey_method(did + "#atproto_label", *other);
  const std::string after = multikey_method("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb#atproto", *other);

  EXPECT_EQ(
      read(document(before + "," + multikey_method("#atproto", *signer) + "," + after), *signer),
      "ok");
  EXPECT_EQ(read(document(before + "," + after), *signer), "did document has no signing key");
}

TEST_P(DidDocument, refuses_what_could_be_read_in_two_ways) {
  const auto signer = GetParam()();
  const std::string one = multikey_method("#atproto", *signer);
  const std::string with_both =
      one.substr(0, one.size() - 1) + R"(,"publicKeyJwk":)" + signer->jwk() + "}";
  const std::string twice = one.substr(0, one.size() - 1) + R"(,"publicKeyMultibase":"z1"})";

  EXPECT_EQ(read(document(one + "," + multikey_method(did + "#atproto", *signer)), *signer),
            "did document has two signing keys");
  EXPECT_EQ(read(document(with_both), *signer), "signing key is of no accepted kind");
  EXPECT_EQ(read(document(twice), *signer), "signing key is of no accepted kind");
  EXPECT_EQ(read(R"({"id":"x",)" + document(one).substr(1), *signer),
            "did document is not the caller's");
}

TEST(DidDocumentOf, refuses_another_dids_document_and_another_controller) {
  const auto signer = Signer::es256k();
  const std::string other = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb";

  EXPECT_EQ(read(test::did_document(other, signer->multikey()), *signer),
            "did document is not the caller's");
  EXPECT_EQ(read("{}", *signer), "did document is not the caller's");
  EXPECT_EQ(read(document(R"({"id":"#atproto","type":"Multikey","controller":")" + other +
                          R"(","publicKeyMultibase":")" + signer->multikey() + R"("})"),
                 *signer),
            "signing key has another controller");
}

TEST(DidDocumentOf, refuses_keys_of_other_kinds) {
  const auto signer = Signer::es256k();
  for (const std::string& key :
       {std::string("z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"),  // Ed25519
        signer->multikey().substr(1), "m" + signer->multikey().substr(1), signer->multikey() + "1",
        signer->multikey().substr(0, 20), std::string("z"), std::string(), std::string("z0OIl"),
        "z" + std::string(5000, '1')}) {
    EXPECT_EQ(read(document(R"({"id":"#atproto","type":"Multikey","publicKeyMultibase":")" + key +
                            R"("})"),
                   *signer),
              "signing key is of no accepted kind")
        << key;
  }
  EXPECT_EQ(read(document(R"({"id":"#atproto","type":"Ed25519VerificationKey2020",)"
                          R"("publicKeyMultibase":")" +
                          signer->multikey() + R"("})"),
                 *signer),
            "signing key is of no accepted kind");
}

TEST(DidDocumentOf, refuses_points_that_are_not_on_the_curve) {
  for (auto make : {&Signer::es256k, &Signer::es256}) {
    const auto signer = make();
    Bytes point = signer->uncompressed_point();
    const Curve curve = signer->alg() == "ES256" ? Curve::p256 : Curve::secp256k1;
    EXPECT_NE(PublicKey::from_point(curve, point), nullptr);

    point[64] ^= 1;
    EXPECT_EQ(PublicKey::from_point(curve, point), nullptr);
    point[64] ^= 1;
    point[0] = static_cast<std::uint8_t>(0x06 + (point[64] & 1));  // hybrid form
    EXPECT_EQ(PublicKey::from_point(curve, point), nullptr);
    EXPECT_EQ(PublicKey::from_point(curve, Bytes{0x00}), nullptr);
    EXPECT_EQ(PublicKey::from_point(curve, Bytes{}), nullptr);
    EXPECT_EQ(PublicKey::from_point(curve, Bytes(33, 0xFF)), nullptr);
  }
}

TEST(DidDocumentOf, refuses_signatures_of_wrong_size_or_with_scalars_out_of_range) {
  for (auto make : {&Signer::es256k, &Signer::es256}) {
    const auto signer = make();
    const Curve curve = signer->alg() == "ES256" ? Curve::p256 : Curve::secp256k1;
    const auto key = PublicKey::from_point(curve, signer->compressed_point());
    const Bytes good = signer->sign("text");
    ASSERT_TRUE(key->verify("text", good));
    const auto replaced = [&](std::size_t at, const Bytes& scalar) {
      Bytes bad = good;
      std::ranges::copy(scalar, bad.begin() + static_cast<std::ptrdiff_t>(at));
      return key->verify("text", bad);
    };

    EXPECT_FALSE(key->verify("text", ByteView(good).first(63)));
    EXPECT_FALSE(key->verify("text", Bytes(65, 1)));
    EXPECT_FALSE(key->verify("text", Bytes{}));
    EXPECT_FALSE(key->verify("text", Bytes(64, 0)));
    EXPECT_FALSE(replaced(0, Bytes(32, 0)));
    EXPECT_FALSE(replaced(32, Bytes(32, 0)));
    EXPECT_FALSE(replaced(0, signer->order()));
    EXPECT_FALSE(replaced(32, signer->order()));
    EXPECT_FALSE(replaced(0, Bytes(32, 0xFF)));
    EXPECT_FALSE(replaced(32, Bytes(32, 0xFF)));
  }
}

TEST(DidDocumentOf, reads_the_published_multikey_examples) {
  const auto k256 = from_multikey("zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc");
  const auto p256 = from_multikey("zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo");

  ASSERT_TRUE(k256);
  EXPECT_EQ(k256->curve, Curve::secp256k1);
  EXPECT_NE(PublicKey::from_point(k256->curve, k256->point), nullptr);
  ASSERT_TRUE(p256);
  EXPECT_EQ(p256->curve, Curve::p256);
  EXPECT_NE(PublicKey::from_point(p256->curve, p256->point), nullptr);
}

TEST(DidDocumentOf, survives_any_mutation_of_a_document) {
  const auto signer = Signer::es256();
  const std::string good = test::did_document(did, signer->multikey());
  std::mt19937 random(5);
  int readable = 0;
  for (int i = 0; i < 5'000; ++i) {
    std::string json = good;
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      json[random() % json.size()] = static_cast<char>(random());
    }
    json.resize(random() % 4 == 0 ? random() % json.size() : json.size());
    readable += key_of_document(json, did) ? 1 : 0;
  }
  EXPECT_LT(readable, 5'000);
}

}  // namespace
}  // namespace catbird::auth
