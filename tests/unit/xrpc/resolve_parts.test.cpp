// SPDX-License-Identifier: MIT
// The second half of group_parts: what the store knows of the key packages a request names.
#include "core/limits.hpp"
#include "mls/verify.hpp"
#include "support/mls_writer.hpp"
#include "unit/xrpc/world.hpp"
#include "xrpc/group_parts.hpp"

namespace catbird::xrpc {
namespace {

using catbird::testing::MadeKeyPackage;
using catbird::testing::Signer;

constexpr std::uint16_t suite = 1;

std::vector<core::Did> dids(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
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

}  // namespace
}  // namespace catbird::xrpc
