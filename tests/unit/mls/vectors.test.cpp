// SPDX-License-Identifier: MIT
#include "unit/mls/vectors.hpp"

#include "mls/parse.hpp"
#include "mls/reader.hpp"
#include "mls/verify.hpp"
#include "support/mls_samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace catbird::testing {
namespace {

using nlohmann::json;

/// One file of the official vectors; its tests skip, visibly, where it is absent.
class Vectors : public ::testing::Test {
 protected:
  explicit Vectors(const char* name) : name_(name) {}
  void SetUp() override {
    auto loaded = load_vectors(name_);
    if (!loaded) GTEST_SKIP() << "no official vectors here (CATBIRD_SHARED): " << name_;
    entries = *std::move(loaded);
    ASSERT_FALSE(entries.empty());
  }

  json entries;

 private:
  const char* name_;
};
struct MessagesVectors : Vectors {
  MessagesVectors() : Vectors("messages") {}
};
struct DeserializationVectors : Vectors {
  DeserializationVectors() : Vectors("deserialization") {}
};
struct CryptoBasicsVectors : Vectors {
  CryptoBasicsVectors() : Vectors("crypto-basics") {}
};
struct WelcomeVectors : Vectors {
  WelcomeVectors() : Vectors("welcome") {}
};
struct JoinerVectors : Vectors {
  JoinerVectors() : Vectors("passive-client-welcome") {}
};
struct ProtectionVectors : Vectors {
  ProtectionVectors() : Vectors("message-protection") {}
};
struct TreeVectors : Vectors {
  TreeVectors() : Vectors("tree-validation") {}
};

struct Field {
  const char* name;
  Kind kind;
  std::uint16_t proposal_type = 0;  // the vector leaves it out
};
// Every field but group_secrets, which only the owner of the init key can see on the wire.
constexpr std::array fields{Field{"mls_welcome", Kind::message},
                            Field{"mls_group_info", Kind::message},
                            Field{"mls_key_package", Kind::message},
                            Field{"ratchet_tree", Kind::ratchet_tree},
                            Field{"add_proposal", Kind::proposal, 1},
                            Field{"update_proposal", Kind::proposal, 2},
                            Field{"remove_proposal", Kind::proposal, 3},
                            Field{"pre_shared_key_proposal", Kind::proposal, 4},
                            Field{"re_init_proposal", Kind::proposal, 5},
                            Field{"external_init_proposal", Kind::proposal, 6},
                            Field{"group_context_extensions_proposal", Kind::proposal, 7},
                            Field{"commit", Kind::commit},
                            Field{"public_message_application", Kind::message},
                            Field{"public_message_proposal", Kind::message},
                            Field{"public_message_commit", Kind::message},
                            Field{"private_message", Kind::message}};

Bytes field_bytes(const json& entry, const Field& field) {
  auto bytes = hex_of(entry, field.name);
  if (field.proposal_type == 0) return bytes;
  return Writer().u16(field.proposal_type).raw(bytes).take();
}

TEST_F(MessagesVectors, messages_are_read_and_written_again_byte_for_byte) {
  for (const auto& entry : entries) {
    for (const auto& field : fields) {
      const auto bytes = field_bytes(entry, field);
      EXPECT_EQ(reencoded(field.kind, bytes), bytes) << field.name;
    }
  }
  EXPECT_EQ(entries.size(), 300U);
}

TEST_F(MessagesVectors, messages_cut_anywhere_or_lengthened_are_refused) {
  for (const auto& field : fields) {
    const auto bytes = field_bytes(entries.at(0), field);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_FALSE(reencoded(field.kind, ByteView(bytes).first(size))) << field.name << " " << size;
    }
    EXPECT_FALSE(reencoded(field.kind, Writer().raw(bytes).u8(0).take())) << field.name;
  }
}

TEST_F(MessagesVectors, messages_with_a_flipped_bit_are_refused_or_read_as_what_they_say) {
  for (const auto& field : fields) {
    auto bytes = field_bytes(entries.at(1), field);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto again = reencoded(field.kind, bytes);
      EXPECT_TRUE(!again || *again == bytes) << field.name << " bit " << bit;
      bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    }
  }
}

TEST_F(DeserializationVectors, vector_headers_are_read) {
  for (const auto& entry : entries) {
    const auto header = hex_of(entry, "vlbytes_header");
    mls::Reader in(header);
    EXPECT_EQ(in.length("header"), entry.at("length").get<std::uint32_t>());
    EXPECT_TRUE(in.done() && !in.failed());
  }
}

TEST_F(CryptoBasicsVectors, reference_hashes_agree_in_every_suite) {
  for (const auto& entry : entries) {
    const auto& test = entry.at("ref_hash");
    const auto hash = mls::ref_hash(entry.at("cipher_suite").get<std::uint16_t>(),
                                    test.at("label").get<std::string>(), hex_of(test, "value"));
    ASSERT_TRUE(hash);
    EXPECT_EQ(*hash, hex_of(test, "out"));
  }
}

TEST_F(CryptoBasicsVectors, labelled_signatures_verify_in_every_suite_and_only_unchanged) {
  for (const auto& entry : entries) {
    const auto suite = entry.at("cipher_suite").get<std::uint16_t>();
    const auto& test = entry.at("sign_with_label");
    const auto label = test.at("label").get<std::string>();
    const auto key = hex_of(test, "pub");
    auto content = hex_of(test, "content");
    auto signature = hex_of(test, "signature");
    EXPECT_TRUE(mls::verify_with_label(suite, key, label, content, signature)) << suite;

    EXPECT_FALSE(mls::verify_with_label(suite, key, label + "x", content, signature)) << suite;
    content.back() ^= 1U;
    EXPECT_FALSE(mls::verify_with_label(suite, key, label, content, signature)) << suite;
    content.back() ^= 1U;
    signature.back() ^= 1U;
    EXPECT_FALSE(mls::verify_with_label(suite, key, label, content, signature)) << suite;
  }
}

TEST_F(WelcomeVectors, welcomes_name_their_key_packages) {
  for (const auto& entry : entries) {
    const auto package_bytes = hex_of(entry, "key_package");
    const auto welcome_bytes = hex_of(entry, "welcome");
    const auto package = mls::read_key_package(package_bytes);
    const auto welcome = mls::read_welcome(welcome_bytes);
    ASSERT_TRUE(package && welcome);

    const auto ref = mls::key_package_ref(*package);

    ASSERT_TRUE(ref);
    bool named = false;
    for (const auto& secret : welcome->secrets) {
      named = named || std::ranges::equal(secret.new_member, *ref);
    }
    EXPECT_TRUE(named) << entry.at("cipher_suite");
  }
}

TEST_F(JoinerVectors, key_packages_of_joiners_pass_the_check_and_not_when_changed) {
  for (const auto& entry : entries) {
    auto bytes = hex_of(entry, "key_package");
    const auto package = mls::read_key_package(bytes);
    ASSERT_TRUE(package);
    const auto checked = mls::check_key_package(*package);
    EXPECT_TRUE(checked) << checked.error().detail;

    // The last octet belongs to the package's signature, which covers all the rest.
    bytes.back() ^= 1U;
    EXPECT_FALSE(mls::check_key_package(mls::read_key_package(bytes).value()));
  }
}

TEST_F(ProtectionVectors, signatures_of_public_messages_verify_under_their_group_context) {
  for (const auto& entry : entries) {
    const auto suite = entry.at("cipher_suite").get<std::uint16_t>();
    const auto key = hex_of(entry, "signature_pub");
    Writer context;
    context.u16(1).u16(suite).opaque(hex_of(entry, "group_id"));
    context.u64(entry.at("epoch").get<std::uint64_t>()).opaque(hex_of(entry, "tree_hash"));
    context.opaque(hex_of(entry, "confirmed_transcript_hash")).opaque({});
    for (const auto* field : {"proposal_pub", "commit_pub"}) {
      const auto bytes = hex_of(entry, field);
      const auto message = mls::parse_message(bytes);
      ASSERT_TRUE(message);
      const auto& body = std::get<mls::PublicMessage>(message->body);
      EXPECT_TRUE(mls::verify_public_message(suite, body, key, context.bytes())) << suite;
      EXPECT_FALSE(mls::verify_public_message(suite, body, key, {})) << suite;
    }
  }
}

TEST_F(TreeVectors, leaves_of_trees_verify_at_their_place) {
  for (const auto& entry : entries) {
    const auto suite = entry.at("cipher_suite").get<std::uint16_t>();
    const auto group_id = hex_of(entry, "group_id");
    const auto bytes = hex_of(entry, "tree");
    const auto tree = mls::parse_ratchet_tree(bytes);
    ASSERT_TRUE(tree);
    std::uint32_t node_index = 0;
    for (const auto& node : tree->nodes) {
      if (node && std::holds_alternative<mls::LeafNode>(*node)) {
        const auto& leaf = std::get<mls::LeafNode>(*node);
        EXPECT_TRUE(mls::verify_leaf(suite, leaf, group_id, node_index / 2)) << suite;
        const bool bound_to_place = leaf.source != mls::LeafSource::key_package;
        EXPECT_NE(mls::verify_leaf(suite, leaf, group_id, node_index / 2 + 1), bound_to_place);
      }
      ++node_index;
    }
  }
}

}  // namespace
}  // namespace catbird::testing
