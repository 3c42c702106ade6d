// SPDX-License-Identifier: MIT
#include "xrpc/group_parts.hpp"

#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "mls/verify.hpp"
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
      parse({{"keyPackageHashes", {{{"did", alice}, {"hash", "0aFF"}}, {{"hash", "01"}}}}});

  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->named_hashes, (std::vector<Bytes>{{0x0a, 0xff}, {0x01}}));
  EXPECT_EQ(refused({{"keyPackageHashes", {{{"hash", "xy"}}}}}), Errc::invalid_request);
  EXPECT_EQ(refused({{"keyPackageHashes", {{{"hash", ""}}}}}), Errc::invalid_request);
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

class ResolveParts : public ::testing::Test {
 protected:
  /// Stores a package of `identity`'s default device, or of its fragment.
  MadeKeyPackage publish(const std::string& identity, bool last_resort = false) {
    const auto made = catbird::testing::make_key_package(Signer(suite, identity), identity,
                                                         {.last_resort = last_resort});
    const auto name = *credential_name(view_of(identity));
    job([&](storage::UserWriter& writer) {
      storage::NewKeyPackage fresh;
      const auto hash = mls::sha256(made.bare);
      fresh.ref = made.ref;
      fresh.hash = Bytes(hash.begin(), hash.end());
      fresh.suite = suite;
      fresh.last_resort = last_resort;
      fresh.not_after = Timestamp(world.clock.time.value + 1'000'000'000);
      fresh.bytes = made.bare;
      return writer.publish({name.user, name.device}, fresh, world.clock.now()).has_value();
    });
    return made;
  }
  void reserve(const std::string& caller, const std::string& target) {
    job([&](storage::UserWriter& writer) {
      return writer
          .reserve({core::Did(caller), core::Did(target), std::nullopt, suite, world.clock.now()})
          .has_value();
    });
  }
  Result<core::GroupParts> resolve(ParsedParts parsed, const std::vector<std::string>& declared) {
    return resolve_parts(world.readers.reader(), std::move(parsed), core::Did(alice),
                         dids(declared), world.clock.now());
  }
  static ParsedParts welcome_for(std::vector<Bytes> refs) {
    ParsedParts parsed;
    parsed.parts.welcome = core::WelcomePart{make_blob({1}), {}};
    parsed.welcome_refs = std::move(refs);
    return parsed;
  }
  static ParsedParts naming(std::vector<Bytes> hashes) {
    ParsedParts parsed;
    parsed.named_hashes = std::move(hashes);
    return parsed;
  }

  World world;

 private:
  void job(const std::function<bool(storage::UserWriter&)>& work) {
    const storage::UserJob one{[&](storage::UserWriter& writer) -> Result<void> {
      EXPECT_TRUE(work(writer));
      return {};
    }};
    world.stores->writer().commit({}, {&one, 1});
  }
};

TEST_F(ResolveParts, changes_nothing_without_welcome_and_hashes) {
  const auto parts = resolve({}, {bob});

  ASSERT_TRUE(parts.has_value());
  EXPECT_TRUE(parts->key_packages.empty());
  EXPECT_FALSE(parts->welcome.has_value());
}

TEST_F(ResolveParts, addresses_a_welcome_to_the_owners_of_its_packages) {
  const auto first = publish(bob);
  const auto second = publish(carol + "#phone");
  reserve(alice, bob);
  reserve(alice, carol);

  const auto parts = resolve(welcome_for({first.ref, second.ref}), {bob, carol});

  ASSERT_TRUE(parts.has_value());
  ASSERT_EQ(parts->welcome->recipients.size(), 2U);
  EXPECT_EQ(parts->welcome->recipients[0].user.value, bob);
  EXPECT_EQ(parts->welcome->recipients[0].key_package_ref, first.ref);
  EXPECT_EQ(parts->welcome->recipients[1].user.value, carol);
  EXPECT_EQ(parts->welcome->recipients[1].device.value, "phone");
  ASSERT_EQ(parts->key_packages.size(), 2U);
  EXPECT_TRUE(parts->key_packages[0].reserved_to_caller);
  EXPECT_TRUE(parts->key_packages[1].reserved_to_caller);
}

TEST_F(ResolveParts, falls_back_to_the_declared_members_for_unknown_packages) {
  const auto known = publish(bob);
  reserve(alice, bob);

  const auto parts = resolve(welcome_for({known.ref, Bytes(32, 9)}), {alice, bob, carol});

  ASSERT_TRUE(parts.has_value());
  ASSERT_EQ(parts->welcome->recipients.size(), 2U);
  EXPECT_EQ(parts->welcome->recipients[0].user.value, bob);
  EXPECT_EQ(parts->welcome->recipients[1].user.value, carol);
  EXPECT_TRUE(parts->welcome->recipients[1].key_package_ref.empty());
  EXPECT_EQ(parts->key_packages.size(), 1U);
}

TEST_F(ResolveParts, refuses_a_welcome_for_nobody) {
  const auto parts = resolve(welcome_for({Bytes(32, 9)}), {alice});

  ASSERT_FALSE(parts.has_value());
  EXPECT_EQ(parts.error().code, Errc::invalid_request);
}

TEST_F(ResolveParts, marks_packages_that_are_not_reserved_to_the_caller) {
  const auto unreserved = publish(bob);
  const auto others = publish(carol);
  reserve(bob, carol);

  const auto parts = resolve(welcome_for({unreserved.ref, others.ref}), {bob, carol});

  ASSERT_EQ(parts->key_packages.size(), 2U);
  EXPECT_FALSE(parts->key_packages[0].reserved_to_caller);
  EXPECT_FALSE(parts->key_packages[1].reserved_to_caller);
}

TEST_F(ResolveParts, forgets_a_reservation_after_its_time) {
  const auto made = publish(bob);
  reserve(alice, bob);
  world.clock.time.value += core::reservation_ms + 1;

  EXPECT_FALSE(resolve(naming({made.ref}), {bob})->key_packages[0].reserved_to_caller);
}

TEST_F(ResolveParts, lets_anyone_use_a_last_resort_package) {
  const auto made = publish(bob, true);

  EXPECT_TRUE(resolve(naming({made.ref}), {bob})->key_packages[0].reserved_to_caller);
}

TEST_F(ResolveParts, knows_named_packages_by_sha256_and_by_ref) {
  const auto first = publish(bob);
  const auto second = publish(carol);
  const auto hash = mls::sha256(second.bare);

  const auto parts = resolve(naming({first.ref, Bytes(hash.begin(), hash.end())}), {});

  ASSERT_TRUE(parts.has_value());
  ASSERT_EQ(parts->key_packages.size(), 2U);
  EXPECT_EQ(parts->key_packages[0].ref, first.ref);
  EXPECT_EQ(parts->key_packages[1].ref, second.ref);
}

TEST_F(ResolveParts, refuses_named_packages_it_does_not_know) {
  const auto made = publish(bob);

  const auto parts = resolve(naming({made.ref, Bytes(32, 9)}), {bob});

  ASSERT_FALSE(parts.has_value());
  EXPECT_EQ(parts.error().code, Errc::key_package_not_found);
}

TEST_F(ResolveParts, uses_a_package_once_however_often_it_is_named) {
  const auto made = publish(bob);
  const auto hash = mls::sha256(made.bare);
  reserve(alice, bob);

  const auto named = resolve(naming({made.ref, Bytes(hash.begin(), hash.end()), made.ref}), {bob});
  const auto welcomed = resolve(welcome_for({made.ref, made.ref}), {bob, carol});

  EXPECT_EQ(named->key_packages.size(), 1U);
  EXPECT_EQ(welcomed->key_packages.size(), 1U);
  ASSERT_EQ(welcomed->welcome->recipients.size(), 1U);
}

TEST_F(ResolveParts, goes_by_the_welcome_where_both_are_given) {
  const auto made = publish(bob);
  reserve(alice, bob);
  auto parsed = welcome_for({made.ref});
  parsed.named_hashes = {Bytes(32, 9)};

  const auto parts = resolve(std::move(parsed), {bob});

  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->key_packages.size(), 1U);
}

TEST_F(ResolveParts, passes_a_failing_store_on) {
  world.disk.on_read([] { return true; });

  EXPECT_EQ(resolve(naming({Bytes(32, 9)}), {}).error().code, Errc::storage_unavailable);
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
