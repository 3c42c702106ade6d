// SPDX-License-Identifier: MIT
#include "xrpc/group_parts.hpp"

#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "support/mls_writer.hpp"
#include "unit/xrpc/world.hpp"

namespace catbird::xrpc {
namespace {

using catbird::testing::GroupAt;
using catbird::testing::MadeKeyPackage;
using catbird::testing::Signer;

constexpr std::uint16_t suite = 1;
const Bytes group_id{0xaa, 0x01};
const GroupAt at{group_id, 3};
constexpr PartNames member{};
constexpr PartNames external{.commit = "externalCommit", .external = true};

Signer signer() { return Signer(suite, "signer"); }
MadeKeyPackage package_of(const std::string& identity) {
  return catbird::testing::make_key_package(Signer(suite, identity), identity);
}

Body body_of(const Json& json) {
  auto text = json.dump();
  text.reserve(text.size() + 64);  // as http::Request::body promises
  return *Body::parse(text);
}
Json bytes(ByteView value) { return {{"$bytes", to_base64(value)}}; }

Result<ParsedParts> parse(const Json& json, const PartNames& names = member) {
  return parse_parts(body_of(json).fields(), names);
}
Errc refused(const Json& json, const PartNames& names = member) {
  const auto parsed = parse(json, names);
  EXPECT_FALSE(parsed.has_value()) << json.dump();
  return parsed ? Errc::internal : parsed.error().code;
}
std::vector<core::Did> dids(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

TEST(ParseParts, finds_nothing_in_an_empty_request) {
  const auto parsed = parse({{"convoId", "aa"}});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_FALSE(parsed->parts.commit || parsed->parts.welcome || parsed->parts.group_info);
}

TEST(ParseParts, takes_empty_bytes_for_nothing) {
  const auto parsed = parse({{"commit", ""}, {"welcomeMessage", ""}, {"groupInfo", ""}});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_FALSE(parsed->parts.commit || parsed->parts.welcome || parsed->parts.group_info);
}

TEST(ParseParts, reads_group_and_epoch_of_a_private_commit) {
  const auto message =
      catbird::testing::make_private_message(at, mls::ContentType::commit, Bytes{1, 2});

  const auto parsed = parse({{"commit", bytes(message)}});

  ASSERT_TRUE(parsed.has_value());
  ASSERT_TRUE(parsed->parts.commit.has_value());
  EXPECT_EQ(parsed->parts.commit->group_id, group_id);
  EXPECT_EQ(parsed->parts.commit->base, core::Epoch(3));
  EXPECT_EQ(*parsed->parts.commit->bytes, message);
  EXPECT_FALSE(parsed->commit_is_public);
}

TEST(ParseParts, reads_who_is_added_by_a_public_commit) {
  const auto message = catbird::testing::make_public_commit(
      signer(), {.at = at,
                 .adds = {package_of(alice).bare, package_of(bob + "#phone").bare},
                 .removes = {2}});

  const auto parsed = parse({{"commit", bytes(message)}});

  ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
  EXPECT_TRUE(parsed->commit_is_public);
  EXPECT_FALSE(parsed->has_references);
  EXPECT_EQ(parsed->inline_adds, dids({alice, bob}));
  EXPECT_EQ(parsed->parts.commit->base, core::Epoch(3));
}

TEST(ParseParts, notices_proposals_by_reference) {
  const auto message =
      catbird::testing::make_public_commit(signer(), {.at = at, .references = {Bytes(32, 5)}});

  EXPECT_TRUE(parse({{"commit", bytes(message)}})->has_references);
}

TEST(ParseParts, reads_the_joiner_of_an_external_commit) {
  const auto message = catbird::testing::make_external_commit(
      signer(), {.at = at, .identity = bob + "#tablet", .leaf_index = 2, .removes = 1});

  const auto parsed = parse({{"externalCommit", bytes(message)}}, external);

  ASSERT_TRUE(parsed.has_value()) << parsed.error().detail;
  EXPECT_EQ(parsed->joiner, core::Did(bob));
  EXPECT_EQ(parsed->joiner_device, core::DeviceId("tablet"));
  EXPECT_TRUE(parsed->commit_is_public);
}

TEST(ParseParts, refuses_what_is_no_commit) {
  using catbird::testing::make_private_message;
  const std::vector<Bytes> wrong{
      Bytes{1, 2, 3},
      make_private_message(at, mls::ContentType::application, Bytes{1}),
      make_private_message(at, mls::ContentType::proposal, Bytes{1}),
      catbird::testing::make_public_proposal(signer(), {.at = at}),
      catbird::testing::make_welcome(suite, std::vector<Bytes>{Bytes(32, 1)}),
      package_of(alice).message,
  };
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    EXPECT_EQ(refused({{"commit", bytes(wrong[i])}}), Errc::invalid_commit) << i;
    EXPECT_EQ(refused({{"externalCommit", bytes(wrong[i])}}, external), Errc::invalid_commit) << i;
  }
}

TEST(ParseParts, refuses_the_commit_of_another_kind_of_sender) {
  const auto outside =
      catbird::testing::make_external_commit(signer(), {.at = at, .identity = bob});
  const auto inside = catbird::testing::make_public_commit(signer(), {.at = at});
  const auto hidden =
      catbird::testing::make_private_message(at, mls::ContentType::commit, Bytes{1});

  EXPECT_EQ(refused({{"commit", bytes(outside)}}), Errc::invalid_commit);
  EXPECT_EQ(refused({{"externalCommit", bytes(inside)}}, external), Errc::invalid_commit);
  EXPECT_EQ(refused({{"externalCommit", bytes(hidden)}}, external), Errc::invalid_commit);
}

TEST(ParseParts, refuses_leaves_without_a_did) {
  const auto adds = catbird::testing::make_public_commit(
      signer(), {.at = at, .adds = {package_of("nobody").bare}});
  const auto joins =
      catbird::testing::make_external_commit(signer(), {.at = at, .identity = "nobody"});

  EXPECT_EQ(refused({{"commit", bytes(adds)}}), Errc::invalid_commit);
  EXPECT_EQ(refused({{"externalCommit", bytes(joins)}}, external), Errc::invalid_commit);
}

// A name is written into JSON for all members: one that is no UTF-8 would spoil it for all of them.
TEST(ParseParts, refuses_a_joiner_whose_name_is_no_text) {
  for (const std::string device : {"\xff", "caf\xc3", "\xed\xa0\x80"}) {
    const auto joins = catbird::testing::make_external_commit(
        signer(), {.at = at, .identity = bob + "#" + device});

    EXPECT_EQ(refused({{"externalCommit", bytes(joins)}}, external), Errc::invalid_commit);
  }
}

TEST(ParseParts, takes_no_commit_where_the_method_has_none) {
  const auto message =
      catbird::testing::make_private_message(at, mls::ContentType::commit, Bytes{1});

  const auto parsed = parse({{"", bytes(message)}, {"commit", bytes(message)}}, {.commit = ""});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_FALSE(parsed->parts.commit.has_value());
}

TEST(ParseParts, reads_the_refs_of_a_welcome) {
  const std::vector<Bytes> refs{Bytes(32, 1), Bytes(32, 2)};
  const auto welcome = catbird::testing::make_welcome(suite, refs);

  const auto parsed = parse({{"welcomeMessage", to_base64(welcome)}});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->welcome_refs, refs);
  EXPECT_EQ(*parsed->parts.welcome->bytes, welcome);
  EXPECT_EQ(refused({{"welcomeMessage", to_base64(Bytes{1, 2})}}), Errc::invalid_request);
}

TEST(ParseParts, reads_group_and_epoch_of_a_group_info) {
  const auto info = catbird::testing::make_group_info(signer(), {.at = at});

  const auto parsed = parse({{"groupInfo", to_base64(info)}});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->parts.group_info->group_id, group_id);
  EXPECT_EQ(parsed->parts.group_info->epoch, core::Epoch(3));
  EXPECT_EQ(refused({{"groupInfo", to_base64(Bytes{1, 2})}}), Errc::invalid_group_info);
}

TEST(ParseParts, refuses_blobs_beyond_the_limit) {
  const Bytes large(core::blob_bytes_max + 1);
  for (const auto* name : {"commit", "welcomeMessage", "groupInfo"}) {
    EXPECT_EQ(refused({{name, bytes(large)}}), Errc::message_too_large) << name;
  }
}

TEST(ParseParts, reads_named_hashes) {
  const auto parsed =
      parse({{"keyPackageHashes",
              {{{"did", alice}, {"hash", "0aFF"}}, {{"did", alice}, {"hash", "01"}}}}});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->named_hashes, (std::vector<Bytes>{{0x0a, 0xff}, {0x01}}));
  EXPECT_EQ(refused({{"keyPackageHashes", {{{"did", alice}, {"hash", "xy"}}}}}),
            Errc::invalid_request);
  EXPECT_EQ(refused({{"keyPackageHashes", {{{"did", alice}, {"hash", ""}}}}}),
            Errc::invalid_request);
  EXPECT_EQ(refused({{"keyPackageHashes", {{{"hash", "01"}}}}}), Errc::invalid_request);
  EXPECT_EQ(refused({{"keyPackageHashes", {{{"did", "alice"}, {"hash", "01"}}}}}),
            Errc::invalid_did);
  EXPECT_EQ(refused({{"keyPackageHashes", {{{"did", alice}}}}}), Errc::invalid_request);
}

TEST(CheckInlineAdds, demands_that_a_public_commit_adds_whom_the_request_names) {
  ParsedParts parsed;
  parsed.commit_is_public = true;
  parsed.inline_adds = dids({alice, bob, bob});

  EXPECT_TRUE(check_inline_adds(parsed, dids({bob, alice})).has_value());
  EXPECT_EQ(check_inline_adds(parsed, dids({alice})).error().code, Errc::invalid_commit);
  EXPECT_EQ(check_inline_adds(parsed, dids({alice, bob, carol})).error().code,
            Errc::invalid_commit);
}

TEST(CheckInlineAdds, cannot_see_adds_by_reference_or_in_private_commits) {
  ParsedParts parsed;
  EXPECT_TRUE(check_inline_adds(parsed, dids({carol})).has_value());

  parsed.commit_is_public = true;
  parsed.has_references = true;
  parsed.inline_adds = dids({alice});
  EXPECT_TRUE(check_inline_adds(parsed, dids({alice, carol})).has_value());
  EXPECT_FALSE(check_inline_adds(parsed, dids({carol})).has_value());
}

TEST(RequestKey, is_the_clients_or_the_commits_or_none) {
  core::GroupParts parts;
  const auto body = body_of({{"idempotencyKey", "k-1"}});

  EXPECT_EQ((*request_key(body, "addMembers", parts))->key, "k-1");
  EXPECT_EQ((*request_key(body, "addMembers", parts))->payload, body.digest());
  EXPECT_EQ((*request_key(body, "addMembers", parts))->method, "addMembers");
  EXPECT_FALSE(request_key(body_of(Json::object()), "addMembers", parts)->has_value());

  parts.commit = core::CommitPart{make_blob({1}), {}, {}};
  const auto first = *request_key(body_of(Json::object()), "addMembers", parts);
  const auto again = *request_key(body_of({{"idempotencyKey", ""}}), "addMembers", parts);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(first->key, again->key);
  parts.commit->bytes = make_blob({2});
  EXPECT_NE((*request_key(body_of(Json::object()), "addMembers", parts))->key, first->key);
}

TEST(RequestKey, refuses_keys_that_are_too_long_or_not_visible) {
  for (const auto& key : {std::string(129, 'k'), std::string("a b"), std::string("a\nb"),
                          std::string("\x7f"), std::string("a\tb")}) {
    const auto made = request_key(body_of({{"idempotencyKey", key}}), "m", {});

    ASSERT_FALSE(made.has_value()) << key;
    EXPECT_EQ(made.error().code, Errc::invalid_request);
  }
  EXPECT_TRUE(
      request_key(body_of({{"idempotencyKey", std::string(128, 'k')}}), "m", {}).has_value());
}

}  // namespace
}  // namespace catbird::xrpc
