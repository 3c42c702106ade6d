// SPDX-License-Identifier: MIT
#include "mls/verify.hpp"

#include "support/mls_samples.hpp"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace catbird::testing {
namespace {

const Signer& alice() {
  static const Signer signer(1, "alice");
  return signer;
}

/// The check of alice's package after `change` and, unless it undoes that, new signatures.
Result<void> checked_after(const std::function<void(mls::KeyPackage&)>& change) {
  const auto made = make_key_package(alice(), "did:plc:alice");
  auto package = mls::parse_key_package(made.bare).value();
  change(package);
  const auto bytes = resigned(alice(), package);
  return mls::check_key_package(mls::parse_key_package(bytes).value());
}
std::string refusal_after(const std::function<void(mls::KeyPackage&)>& change) {
  const auto checked = checked_after(change);
  if (checked) return "";
  EXPECT_EQ(checked.error().code, Errc::invalid_key_package);
  return checked.error().detail;
}

/// List items for a field; `bytes` must outlive their use.
template <class T>
mls::List<T> items(ByteView bytes, std::size_t count) {
  return {bytes, count};
}

TEST(CheckKeyPackage, accepts_what_the_writer_makes_in_every_suite_it_signs_for) {
  for (const auto suite : std::vector<std::uint16_t>{1, 2, 3, 0x4d}) {
    const auto made = make_key_package(Signer(suite, "x"), "did:plc:x", {.last_resort = true});
    const auto checked = mls::check_key_package(mls::parse_key_package(made.bare).value());
    EXPECT_TRUE(checked) << suite << " " << checked.error().detail;
  }
}

TEST(CheckKeyPackage, accepts_a_package_signed_anew_without_a_change) {
  EXPECT_EQ(refusal_after([](mls::KeyPackage&) {}), "");
}

TEST(CheckKeyPackage, refuses_an_unknown_suite_with_its_own_code) {
  const auto checked = checked_after([](mls::KeyPackage& p) { p.cipher_suite = 0x0a0a; });

  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Errc::invalid_cipher_suite);
}

TEST(CheckKeyPackage, refuses_another_version) {
  EXPECT_EQ(refusal_after([](mls::KeyPackage& p) { p.version = 2; }), "version is not mls10");
}

TEST(CheckKeyPackage, refuses_leaves_of_another_source) {
  EXPECT_EQ(refusal_after([](mls::KeyPackage& p) { p.leaf.source = mls::LeafSource::update; }),
            "leaf source is not key_package");
}

TEST(CheckKeyPackage, refuses_a_lifetime_that_ends_before_it_begins) {
  EXPECT_EQ(refusal_after([](mls::KeyPackage& p) { p.leaf.lifetime = {10, 9}; }),
            "lifetime ends before it begins");
  EXPECT_EQ(refusal_after([](mls::KeyPackage& p) { p.leaf.lifetime = {10, 10}; }), "");
}

TEST(CheckKeyPackage, refuses_a_leaf_that_does_not_list_what_it_uses) {
  const Bytes other{0x2a, 0x2a};
  const auto list = items<std::uint16_t>(other, 1);

  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.leaf.capabilities.versions = list; }),
            "version missing from capabilities");
  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.leaf.capabilities.cipher_suites = list; }),
            "cipher suite missing from capabilities");
  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.leaf.capabilities.credentials = list; }),
            "credential type missing from capabilities");
  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.leaf.capabilities.extensions = list; }),
            "extension type missing from capabilities");
}

TEST(CheckKeyPackage, does_not_want_the_default_extension_types_listed) {
  const Bytes application_id{0, 1, 1, 'a'};

  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) {
              p.leaf.extensions = items<mls::Extension>(application_id, 1);
            }),
            "");
}

TEST(CheckKeyPackage, refuses_two_extensions_of_one_type) {
  const Bytes twice{0, 1, 0, 0, 1, 0};
  const auto list = items<mls::Extension>(twice, 2);

  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.extensions = list; }), "duplicate extension");
  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.leaf.extensions = list; }),
            "duplicate leaf extension");
}

TEST(CheckKeyPackage, refuses_hpke_keys_that_are_equal_or_of_the_wrong_size) {
  const Bytes short_key(31, 1);

  EXPECT_EQ(refusal_after([](mls::KeyPackage& p) { p.init_key = p.leaf.encryption_key; }),
            "init key equals encryption key");
  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.init_key = short_key; }),
            "hpke key of the wrong size");
  EXPECT_EQ(refusal_after([&](mls::KeyPackage& p) { p.leaf.encryption_key = short_key; }),
            "hpke key of the wrong size");
}

TEST(CheckKeyPackage, refuses_a_package_with_any_bit_of_its_signed_part_or_signatures_flipped) {
  auto bytes = make_key_package(alice(), "did:plc:alice").bare;

  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= 0x10U;
    const auto package = mls::parse_key_package(bytes);
    EXPECT_FALSE(package && mls::check_key_package(*package)) << i;
    bytes[i] ^= 0x10U;
  }
}

TEST(CheckKeyPackage, refuses_a_leaf_signature_that_only_the_package_signature_covers) {
  const auto made = make_key_package(alice(), "did:plc:alice");
  auto package = mls::parse_key_package(made.bare).value();
  const Bytes forged(64, 0);
  package.leaf.signature = forged;
  package.signature = {};
  auto tbs = encode(package);
  tbs.pop_back();
  const auto signature = alice().sign("KeyPackageTBS", tbs);
  package.signature = signature;
  const auto bytes = encode(package);

  const auto checked = mls::check_key_package(mls::parse_key_package(bytes).value());

  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().detail, "leaf signature does not verify");
}

TEST(LastResort, is_told_by_the_marker_or_by_its_component) {
  const auto marked = make_key_package(alice(), "a", {.last_resort = true});
  const auto plain = make_key_package(alice(), "a");
  const Bytes component{0, 6, 4, 3, 0, 4, 0};        // component 4, empty
  const Bytes other_component{0, 6, 4, 3, 0, 5, 0};  // component 5
  const Bytes not_empty{0, 6, 5, 4, 0, 4, 1, 9};     // component 4 with data
  const Bytes cut{0, 6, 3, 3, 0, 4};                 // malformed dictionary
  const Bytes cut_later{0, 6, 6, 5, 0, 4, 0, 0, 5};  // component 4, then half of another
  auto package = mls::parse_key_package(plain.bare).value();
  const auto with = [&package](const Bytes& extension) {
    package.extensions = items<mls::Extension>(extension, 1);
    return mls::is_last_resort(package);
  };

  EXPECT_TRUE(mls::is_last_resort(mls::parse_key_package(marked.bare).value()));
  EXPECT_FALSE(mls::is_last_resort(package));
  EXPECT_TRUE(with(component));
  EXPECT_FALSE(with(other_component));
  EXPECT_FALSE(with(not_empty));
  EXPECT_FALSE(with(cut));
  EXPECT_FALSE(with(cut_later));
}

TEST(Suites, are_found_by_number_and_by_name) {
  for (const auto id : std::vector<std::uint16_t>{1, 2, 3, 4, 5, 6, 7, 0x4d}) {
    const auto* by_id = mls::suite_by_id(id);
    ASSERT_NE(by_id, nullptr);
    EXPECT_EQ(by_id->id, id);
    EXPECT_EQ(mls::suite_by_name(by_id->name), by_id);
  }
  EXPECT_EQ(mls::suite_by_name("MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519")->id, 1U);
  EXPECT_EQ(mls::suite_by_name("MLS_256_XWING_CHACHA20POLY1305_SHA256_Ed25519")->id, 0x4dU);
  EXPECT_EQ(mls::suite_by_id(0), nullptr);
  EXPECT_EQ(mls::suite_by_id(8), nullptr);
  EXPECT_EQ(mls::suite_by_name(""), nullptr);
}

TEST(Hashes, are_those_of_their_standards) {
  EXPECT_EQ(to_hex(mls::sha256(view_of("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(mls::ref_hash(7, "label", {}).value().size(), 48U);
  EXPECT_EQ(mls::ref_hash(4, "label", {}).value().size(), 64U);
  EXPECT_EQ(mls::ref_hash(0x0a0a, "label", {}).error().code, Errc::invalid_cipher_suite);
}

TEST(Signatures, refuse_malformed_keys_and_unknown_suites) {
  const Signer bob(2, "bob");
  const auto content = view_of("content");
  const auto signature = bob.sign("Label", content);
  auto wrong_form = bob.public_key();
  wrong_form[0] = wrong_form.back() % 2 == 0 ? 0x06 : 0x07;  // hybrid, which OpenSSL would take
  auto off_curve = bob.public_key();
  off_curve.back() ^= 1U;

  EXPECT_TRUE(mls::verify_with_label(2, bob.public_key(), "Label", content, signature));
  EXPECT_FALSE(mls::verify_with_label(2, wrong_form, "Label", content, signature));
  EXPECT_FALSE(mls::verify_with_label(2, off_curve, "Label", content, signature));
  EXPECT_FALSE(mls::verify_with_label(2, {}, "Label", content, signature));
  EXPECT_FALSE(mls::verify_with_label(1, bob.public_key(), "Label", content, signature));
  EXPECT_FALSE(mls::verify_with_label(9, bob.public_key(), "Label", content, signature));
  EXPECT_FALSE(mls::verify_with_label(2, bob.public_key(), "Label", content, {}));
}

TEST(Signatures, of_an_update_leaf_bind_it_to_its_group_and_place) {
  const auto made = make_key_package(alice(), "did:plc:alice");
  auto leaf = mls::parse_key_package(made.bare).value().leaf;
  leaf.source = mls::LeafSource::update;
  leaf.signature = {};
  auto tbs = encode(leaf);
  tbs.pop_back();  // the empty signature
  leaf.tbs = tbs;
  const Bytes group(70, 1);
  const auto signed_bytes = Writer().raw(tbs).opaque(group).u32(0x01020304).take();
  const auto signature = alice().sign("LeafNodeTBS", signed_bytes);
  leaf.signature = signature;

  EXPECT_TRUE(mls::verify_leaf(1, leaf, group, 0x01020304));
  EXPECT_FALSE(mls::verify_leaf(1, leaf, group, 0x01020305));
  EXPECT_FALSE(mls::verify_leaf(1, leaf, Bytes(70, 2), 0x01020304));
}

TEST(Signatures, leave_no_trace_in_the_error_queue_when_they_are_refused) {
  auto off_curve = Signer(2, "bob").public_key();
  off_curve.back() ^= 1U;
  const Bytes signature(64, 1);
  ERR_clear_error();

  EXPECT_FALSE(mls::verify_with_label(2, off_curve, "Label", {}, signature));
  EXPECT_FALSE(mls::verify_with_label(1, Bytes(31, 1), "Label", {}, signature));

  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Signatures, of_made_commits_and_group_infos_verify_under_the_made_context) {
  const GroupAt at{.group_id = Bytes(16, 1), .epoch = 9};
  const auto context = make_group_context(at, 1);
  const auto commit = make_public_commit(alice(), {.at = at});
  const auto external = make_external_commit(alice(), {.at = at, .identity = "a", .leaf_index = 5});
  const auto info_bytes = make_group_info(alice(), {.at = at});
  const auto key = ByteView(alice().public_key());

  for (const auto& bytes : {commit, external}) {
    const auto message = mls::parse_message(bytes).value();
    const auto& body = std::get<mls::PublicMessage>(message.body);
    EXPECT_TRUE(mls::verify_public_message(1, body, key, context));
    EXPECT_FALSE(mls::verify_public_message(1, body, key, make_group_context({}, 1)));
  }
  const auto message = mls::parse_message(external).value();
  const auto& body = std::get<mls::PublicMessage>(message.body);
  const auto& leaf = std::get<mls::Commit>(body.content).path.value().leaf;
  EXPECT_TRUE(mls::verify_leaf(1, leaf, at.group_id, 5));
  EXPECT_FALSE(mls::verify_leaf(1, leaf, at.group_id, 6));
  EXPECT_FALSE(mls::verify_leaf(1, leaf, Bytes(16, 2), 5));
  const auto info = mls::read_group_info(info_bytes).value();
  EXPECT_TRUE(std::ranges::equal(info.context.raw, context));
  EXPECT_TRUE(mls::verify_group_info(info, key));
  EXPECT_FALSE(mls::verify_group_info(info, Signer(1, "mallory").public_key()));
}

}  // namespace
}  // namespace catbird::testing
