// SPDX-License-Identifier: MIT
#include "mls/parse.hpp"

#include "support/mls_samples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace catbird::testing {
namespace {

using mls::ContentType;
using ::testing::HasSubstr;

const Signer& alice() {
  static const Signer signer(1, "alice");
  return signer;
}
GroupAt some_group() { return {.group_id = Bytes(16, 0x17), .epoch = 41}; }

bool same(ByteView a, ByteView b) { return std::ranges::equal(a, b); }

/// A PublicMessage whose content and what follows it are given.
Bytes public_message(std::uint8_t sender_type, std::uint8_t content_type, ByteView rest) {
  Writer out;
  out.u16(1).u16(1).opaque(view_of("group")).u64(5).u8(sender_type);
  if (sender_type <= 2) out.u32(0);
  return out.opaque({}).u8(content_type).raw(rest).take();
}
Bytes tags(std::size_t count) {
  Writer out;
  for (; count > 0; --count) out.opaque(Bytes(32, 1));
  return out.take();
}

std::string refusal(ByteView input) {
  const auto parsed = mls::parse_message(input);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, Errc::malformed_mls);
  return parsed.error().detail;
}

TEST(Parse, reads_and_writes_every_made_sample_byte_for_byte) {
  for (const auto& sample : made_samples()) {
    EXPECT_EQ(reencoded(sample.kind, sample.bytes), sample.bytes) << sample.name;
  }
}

TEST(Parse, sees_the_header_of_a_private_message) {
  const Bytes body(77, 0x5a);
  const auto bytes = make_private_message(some_group(), ContentType::application, body);

  const auto message = mls::parse_message(bytes);

  ASSERT_TRUE(message);
  const auto& header = std::get<mls::PrivateMessage>(message->body);
  EXPECT_TRUE(same(header.group_id, some_group().group_id));
  EXPECT_EQ(header.epoch, 41U);
  EXPECT_EQ(header.content_type, ContentType::application);
  EXPECT_TRUE(same(header.ciphertext, body));
  EXPECT_GE(header.ciphertext.data(), bytes.data());  // a view, not a copy
}

TEST(Parse, sees_what_a_commit_adds_removes_and_refers_to) {
  const auto bob = make_key_package(Signer(2, ""), "did:plc:bob");
  const CommitSpec spec{.at = some_group(),
                        .sender = 6,
                        .adds = {bob.bare},
                        .removes = {3},
                        .references = {Bytes(32, 0xcd)}};
  const auto bytes = make_public_commit(alice(), spec);

  const auto message = mls::parse_message(bytes);

  ASSERT_TRUE(message);
  const auto& body = std::get<mls::PublicMessage>(message->body);
  EXPECT_EQ(body.sender.type, mls::SenderType::member);
  EXPECT_EQ(body.sender.index, 6U);
  EXPECT_FALSE(body.confirmation_tag.empty());
  EXPECT_FALSE(body.membership_tag.empty());
  const auto& commit = std::get<mls::Commit>(body.content);
  EXPECT_TRUE(commit.path);
  ASSERT_EQ(commit.proposals.size(), 3U);
  const auto add = std::get<mls::Proposal>(commit.proposals.at(0));
  const auto& package = std::get<mls::AddProposal>(add).key_package;
  EXPECT_TRUE(same(package.raw, bob.bare));
  EXPECT_EQ(text_of(package.leaf.credential.identity), "did:plc:bob");
  const auto remove = std::get<mls::Proposal>(commit.proposals.at(1));
  EXPECT_EQ(std::get<mls::RemoveProposal>(remove).removed, 3U);
  EXPECT_TRUE(same(std::get<ByteView>(commit.proposals.at(2)), Bytes(32, 0xcd)));
}

TEST(Parse, sees_who_joins_by_an_external_commit) {
  const auto bytes = make_external_commit(
      alice(), {.at = some_group(), .identity = "did:plc:alice", .removes = 2});

  const auto message = mls::parse_message(bytes);

  ASSERT_TRUE(message);
  const auto& body = std::get<mls::PublicMessage>(message->body);
  EXPECT_EQ(body.sender.type, mls::SenderType::new_member_commit);
  EXPECT_TRUE(body.membership_tag.empty());
  const auto& commit = std::get<mls::Commit>(body.content);
  EXPECT_EQ(text_of(commit.path.value().leaf.credential.identity), "did:plc:alice");
  EXPECT_TRUE(std::holds_alternative<mls::ExternalInitProposal>(
      std::get<mls::Proposal>(commit.proposals.front())));
}

TEST(Parse, sees_the_refs_of_a_welcome_in_order) {
  const std::vector<Bytes> refs{Bytes(32, 1), Bytes(32, 2), Bytes(32, 3)};
  const auto bytes = make_welcome(3, refs);

  const auto welcome = mls::read_welcome(bytes);

  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->cipher_suite, 3U);
  ASSERT_EQ(welcome->secrets.size(), refs.size());
  std::size_t i = 0;
  for (const auto& secret : welcome->secrets) EXPECT_TRUE(same(secret.new_member, refs[i++]));
}

TEST(Parse, reads_a_public_application_message_for_policy_to_refuse) {
  const auto rest = Writer().opaque(view_of("hello")).raw(tags(2)).take();

  const auto bytes = public_message(1, 1, rest);
  const auto message = mls::parse_message(bytes);

  ASSERT_TRUE(message);
  const auto& body = std::get<mls::PublicMessage>(message->body);
  EXPECT_EQ(body.content_type, ContentType::application);
  EXPECT_EQ(text_of(std::get<ByteView>(body.content)), "hello");
}

TEST(Parse, wants_a_membership_tag_of_members_and_a_confirmation_tag_of_commits_only) {
  const Bytes commit{0, 0};
  const auto remove = Writer().u16(3).u32(1).take();
  struct Case {
    std::uint8_t sender, content;
    Bytes body;
    std::size_t tags;
  };
  const std::vector<Case> cases{
      {1, 3, commit, 3}, {1, 2, remove, 2}, {2, 2, remove, 1}, {4, 3, commit, 2}};

  for (const auto& c : cases) {
    for (std::size_t count = 0; count < 5; ++count) {
      const auto rest = Writer().raw(c.body).raw(tags(count)).take();
      EXPECT_EQ(refusal(public_message(c.sender, c.content, rest)).empty(), count == c.tags)
          << int{c.sender} << " " << int{c.content} << " " << count;
    }
  }
}

TEST(Parse, refuses_content_that_its_sender_may_not_send) {
  const auto commit = Writer().raw(Bytes{0, 0}).raw(tags(2)).take();
  const auto application = Writer().opaque({}).raw(tags(1)).take();
  const auto remove = Writer().u16(3).u32(1).raw(tags(1)).take();
  const auto self_remove = Writer().u16(0x000a).raw(tags(1)).take();
  const auto external_init = Writer().u16(6).opaque({}).raw(tags(1)).take();
  const auto made = make_key_package(alice(), "did:plc:alice").bare;
  const auto leaf = encode(mls::parse_key_package(made).value().leaf);
  const auto update = Writer().u16(2).raw(leaf).raw(tags(1)).take();
  const std::vector<Bytes> cases{
      public_message(2, 3, commit),        public_message(3, 3, commit),
      public_message(2, 1, application),   public_message(3, 1, application),
      public_message(4, 1, application),   public_message(4, 2, remove),
      public_message(3, 2, remove),        public_message(2, 2, self_remove),
      public_message(2, 2, external_init), public_message(2, 2, update),
  };

  for (const auto& bytes : cases) {
    EXPECT_EQ(refusal(bytes), "sender.type: may not send this content") << to_hex(bytes);
  }
}

TEST(Parse, refuses_unknown_versions_formats_and_kinds) {
  EXPECT_EQ(refusal(Bytes{0, 2, 0, 1}), "version: not mls10");
  EXPECT_EQ(refusal(Bytes{0, 1, 0, 6}), "wire_format: unknown");
  EXPECT_EQ(refusal(Bytes{0, 1, 0, 0}), "wire_format: unknown");
  EXPECT_EQ(refusal(public_message(5, 2, {})), "sender.type: unknown");
  EXPECT_EQ(refusal(public_message(1, 4, {})), "content_type: unknown");
  EXPECT_EQ(refusal(public_message(1, 0, {})), "content_type: unknown");
}

TEST(Parse, refuses_proposals_of_unknown_type_grease_included) {
  for (const std::uint16_t type : std::vector<std::uint16_t>{0, 8, 9, 11, 0x0a0a, 0xf000}) {
    const auto bytes = Writer().u16(type).opaque({}).take();
    const auto parsed = mls::parse_proposal(bytes);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().detail, "proposal.type: unknown");
  }
}

TEST(Parse, refuses_psks_of_unknown_type_or_usage) {
  const auto unknown_type = Writer().u16(4).u8(3).opaque({}).opaque({}).take();
  const auto unknown_usage = Writer().u16(4).u8(2).u8(4).opaque({}).u64(1).opaque({}).take();

  EXPECT_EQ(mls::parse_proposal(unknown_type).error().detail, "psk.type: unknown");
  EXPECT_EQ(mls::parse_proposal(unknown_usage).error().detail, "psk.usage: unknown");
}

TEST(Parse, refuses_presence_octets_other_than_0_and_1) {
  EXPECT_TRUE(mls::parse_commit(Bytes{0, 0}));
  EXPECT_EQ(mls::parse_commit(Bytes{0, 2}).error().detail,
            "commit.path: presence octet is neither 0 nor 1");
}

TEST(Parse, names_the_field_inside_a_list_that_is_wrong) {
  // A commit with one proposal of kind 3.
  const auto bytes = Writer().opaque(Bytes{3}).u8(0).take();

  EXPECT_EQ(mls::parse_commit(bytes).error().detail,
            "commit.proposal: neither a proposal nor a reference");
}

TEST(Parse, reads_key_packages_welcomes_and_group_infos_bare_and_wrapped) {
  const auto package = make_key_package(alice(), "did:plc:alice");
  const auto welcome = make_welcome(1, {});
  const auto info = make_group_info(alice(), {.at = some_group()});
  const auto bare = [](const Bytes& message) { return ByteView(message).subspan(4); };

  EXPECT_TRUE(same(mls::read_key_package(package.message).value().raw, package.bare));
  EXPECT_TRUE(same(mls::read_key_package(package.bare).value().raw, package.bare));
  EXPECT_EQ(encode(mls::read_welcome(welcome).value()),
            encode(mls::read_welcome(bare(welcome)).value()));
  EXPECT_EQ(encode(mls::read_group_info(info).value()),
            encode(mls::read_group_info(bare(info)).value()));
}

TEST(Parse, reads_a_bare_value_whose_suite_looks_like_the_wire_format_of_a_wrapped_one) {
  auto package = make_key_package(alice(), "did:plc:alice").bare;
  package[3] = static_cast<std::uint8_t>(mls::WireFormat::key_package);
  auto info = make_group_info(alice(), {.at = some_group()});
  info.erase(info.begin(), info.begin() + 4);
  info[3] = static_cast<std::uint8_t>(mls::WireFormat::group_info);
  const Bytes welcome{0, 1, 0, 3, 'a', 'b', 'c'};  // suite 1, no secrets, three octets

  EXPECT_EQ(mls::read_key_package(package).value().cipher_suite, 5U);
  EXPECT_EQ(mls::read_group_info(info).value().context.cipher_suite, 4U);
  EXPECT_EQ(text_of(mls::read_welcome(welcome).value().encrypted_group_info), "abc");
}

TEST(Parse, refuses_another_kind_of_message_where_one_kind_is_wanted) {
  const auto package = make_key_package(alice(), "did:plc:alice");
  const auto welcome = make_welcome(1, {});

  EXPECT_FALSE(mls::read_key_package(welcome));
  EXPECT_FALSE(mls::read_welcome(package.message));
  EXPECT_FALSE(mls::read_group_info(package.message));
  EXPECT_FALSE(mls::read_group_info({}));
}

TEST(Parse, says_what_is_wrong_with_the_inside_of_a_wrapped_value) {
  auto package = make_key_package(alice(), "did:plc:alice").message;
  package.push_back(0);

  EXPECT_EQ(mls::read_key_package(package).error().detail, "key_package: trailing bytes");
}

TEST(Parse, reads_a_tree_with_its_blanks) {
  const std::string names[] = {"a", "b", "c"};
  const auto bytes = make_ratchet_tree(alice(), names);

  const auto tree = mls::parse_ratchet_tree(bytes);

  ASSERT_TRUE(tree);
  ASSERT_EQ(tree->nodes.size(), 5U);
  EXPECT_FALSE(tree->nodes.at(3).has_value());
  const auto leaf = tree->nodes.at(4).value();
  EXPECT_EQ(text_of(std::get<mls::LeafNode>(leaf).credential.identity), "c");
  const auto parent = tree->nodes.at(1).value();
  EXPECT_EQ(std::get<mls::ParentNode>(parent).unmerged_leaves.front(), 1U);
}

TEST(Parse, refuses_a_tree_that_is_empty_or_ends_blank_or_does_not_alternate) {
  const std::string name[] = {"a"};
  const auto one = make_ratchet_tree(alice(), name);
  const auto leaf = mls::parse_ratchet_tree(one).value().nodes.encoded();
  const auto ends_blank = Writer().opaque(Writer().raw(leaf).u8(0).bytes()).take();
  const auto two_leaves = Writer().opaque(Writer().raw(leaf).raw(leaf).bytes()).take();
  const auto parent_first = Writer().opaque(Bytes{1, 2, 0, 0, 0}).take();

  EXPECT_THAT(mls::parse_ratchet_tree(Bytes{0}).error().detail, HasSubstr("blank"));
  EXPECT_THAT(mls::parse_ratchet_tree(ends_blank).error().detail, HasSubstr("blank"));
  EXPECT_THAT(mls::parse_ratchet_tree(two_leaves).error().detail, HasSubstr("alternate"));
  EXPECT_THAT(mls::parse_ratchet_tree(parent_first).error().detail, HasSubstr("alternate"));
}

TEST(Parse, keeps_credentials_of_every_type) {
  const auto made = make_key_package(alice(), "x");
  const auto text = Writer().u16(1).opaque(view_of("x")).take();
  const auto x509 = Writer().u16(2).opaque(Bytes{1, 'a', 0, 2, 'b', 'c'}).take();
  const auto unknown = Writer().u16(0x3a3a).opaque(view_of("xyz")).take();
  const auto with = [&](const Bytes& credential) {
    auto bytes = made.bare;
    const auto at = std::ranges::search(bytes, text);
    const auto rest = Bytes(at.end(), bytes.end());
    bytes.erase(at.begin(), bytes.end());
    return Writer().raw(bytes).raw(credential).raw(rest).take();
  };

  const auto x509_bytes = with(x509);
  const auto unknown_bytes = with(unknown);
  const auto certificates = mls::parse_key_package(x509_bytes).value().leaf.credential.certificates;

  EXPECT_EQ(certificates.size(), 3U);
  EXPECT_EQ(text_of(certificates.at(2)), "bc");
  EXPECT_EQ(reencoded(Kind::key_package, x509_bytes), x509_bytes);
  EXPECT_EQ(text_of(mls::parse_key_package(unknown_bytes).value().leaf.credential.unknown), "xyz");
}

}  // namespace
}  // namespace catbird::testing
