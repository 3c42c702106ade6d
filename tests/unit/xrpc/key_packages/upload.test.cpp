// SPDX-License-Identifier: MIT
#include "xrpc/key_packages/upload.hpp"

#include "core/limits.hpp"
#include "mls/parse.hpp"
#include "mls/verify.hpp"
#include "support/mls_samples.hpp"
#include "support/mls_writer.hpp"
#include "unit/xrpc/world.hpp"

namespace catbird::xrpc {
namespace {

using catbird::testing::KeyPackageOptions;
using catbird::testing::make_key_package;
using catbird::testing::Signer;

const std::string suite_text = "MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519";
constexpr Timestamp now{1'700'000'000'000};
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
const core::Caller caller{core::Did(alice), core::DeviceId()};

Signer signer() { return Signer(1, "alice"); }

Result<Upload> check(const Json& item, const core::Caller& who = caller) {
  auto text = item.dump();
  text.reserve(text.size() + 64);  // as http::Request::body promises
  return check_upload(Body::parse(text)->fields(), who, now);
}
Json item_of(ByteView bytes) {
  return {{"keyPackage", to_base64(bytes)}, {"cipherSuite", suite_text}};
}
Errc refused(const Json& item, const core::Caller& who = caller) {
  const auto upload = check(item, who);
  EXPECT_FALSE(upload.has_value());
  return upload ? Errc::internal : upload.error().code;
}

TEST(CheckUpload, names_a_good_package_by_its_bytes_and_its_ref) {
  const auto made = make_key_package(signer(), alice);

  for (const auto& bytes : {made.bare, made.message}) {
    const auto upload = check(item_of(bytes));

    ASSERT_TRUE(upload.has_value()) << upload.error().detail;
    const auto hash = mls::sha256(bytes);
    EXPECT_EQ(upload->package.ref, made.ref);
    EXPECT_EQ(upload->package.hash, Bytes(hash.begin(), hash.end()));
    EXPECT_EQ(upload->package.bytes, bytes);
    EXPECT_EQ(upload->package.suite, 1);
    EXPECT_FALSE(upload->package.last_resort);
    EXPECT_EQ(upload->owner, caller);
  }
}

TEST(CheckUpload, notices_a_last_resort_package) {
  EXPECT_TRUE(check(item_of(make_key_package(signer(), alice, {.last_resort = true}).bare))
                  ->package.last_resort);
}

TEST(CheckUpload, takes_the_device_from_token_or_credential) {
  const core::Caller phone{core::Did(alice), core::DeviceId("phone")};

  EXPECT_EQ(check(item_of(make_key_package(signer(), alice).bare), phone)->owner, phone);
  EXPECT_EQ(check(item_of(make_key_package(signer(), alice + "#phone").bare))->owner, phone);
  EXPECT_EQ(check(item_of(make_key_package(signer(), alice + "#phone").bare), phone)->owner, phone);
  EXPECT_EQ(refused(item_of(make_key_package(signer(), alice + "#tablet").bare), phone),
            Errc::invalid_key_package);
}

TEST(CheckUpload, keeps_the_earliest_end) {
  const auto bare = make_key_package(signer(), alice).bare;
  auto soon = item_of(bare);
  soon["expires"] = to_rfc3339(Timestamp(now.value + day_ms));

  EXPECT_EQ(check(soon)->package.not_after.value, now.value + day_ms);
  EXPECT_EQ(check(item_of(bare))->package.not_after.value, now.value + 90 * day_ms);
}

TEST(CheckUpload, refuses_a_foreign_or_nameless_credential) {
  for (const auto& identity : {bob, std::string("nobody"), std::string(), alice + "#"}) {
    EXPECT_EQ(refused(item_of(make_key_package(signer(), identity).bare)),
              Errc::invalid_key_package)
        << identity;
  }
}

TEST(CheckUpload, refuses_bytes_that_are_no_key_package) {
  const auto made = make_key_package(signer(), alice);
  auto longer = made.bare;
  longer.push_back(0);
  const Bytes shorter(made.bare.begin(), made.bare.end() - 1);

  for (const auto& bytes :
       {Bytes{}, Bytes{1, 2, 3}, longer, shorter, Bytes(core::key_package_bytes_max + 1)}) {
    EXPECT_EQ(refused(item_of(bytes)), Errc::invalid_key_package) << bytes.size();
  }
}

TEST(CheckUpload, refuses_broken_signatures) {
  auto bytes = make_key_package(signer(), alice).bare;
  bytes.back() ^= 1U;

  EXPECT_EQ(refused(item_of(bytes)), Errc::invalid_key_package);
}

TEST(CheckUpload, refuses_a_device_that_is_no_text) {
  const auto made = make_key_package(signer(), alice + "#\xff");

  EXPECT_EQ(refused(item_of(made.bare)), Errc::invalid_key_package);
}

TEST(CheckUpload, refuses_another_suite_than_the_one_inside) {
  const auto bare = make_key_package(signer(), alice).bare;
  auto other = item_of(bare);
  other["cipherSuite"] = "MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519";
  auto unknown = item_of(bare);
  unknown["cipherSuite"] = "MLS_NONE";

  EXPECT_EQ(refused(other), Errc::invalid_key_package);
  EXPECT_EQ(refused(unknown), Errc::invalid_cipher_suite);
}

TEST(CheckUpload, refuses_packages_out_of_their_time) {
  constexpr std::uint64_t now_s = now.value / 1000;
  const auto over = make_key_package(signer(), alice, {.not_before = 0, .not_after = now_s - 1});
  const auto early =
      make_key_package(signer(), alice, {.not_before = now_s + 3600, .not_after = now_s + 7200});
  auto past = item_of(make_key_package(signer(), alice).bare);
  past["expires"] = to_rfc3339(Timestamp(now.value - 1000));

  EXPECT_EQ(refused(item_of(over.bare)), Errc::invalid_key_package);
  EXPECT_EQ(refused(item_of(early.bare)), Errc::invalid_key_package);
  EXPECT_EQ(refused(past), Errc::invalid_key_package);
}

TEST(CheckUpload, refuses_missing_and_mistyped_fields) {
  const auto good = item_of(make_key_package(signer(), alice).bare);
  for (const auto* name : {"keyPackage", "cipherSuite"}) {
    auto missing = good;
    missing.erase(name);
    auto wrong = good;
    wrong[name] = 1;

    EXPECT_EQ(refused(missing), Errc::invalid_request) << name;
    EXPECT_EQ(refused(wrong), Errc::invalid_request) << name;
  }
  for (const Json& expires : {Json("tomorrow"), Json(12), Json("2030-01-01")}) {
    auto wrong = good;
    wrong["expires"] = expires;
    EXPECT_EQ(refused(wrong), Errc::invalid_request) << expires;
  }
}

class PublishKeyPackages : public ::testing::Test {
 protected:
  std::vector<std::string> devices_of(const std::string& user) {
    std::vector<std::string> devices;
    const storage::UserJob one{[&](storage::UserWriter& writer) -> Result<void> {
      devices.clear();
      auto all = writer.reserve({core::Did(bob), core::Did(user), {}, 1, world.clock.now()});
      for (const auto& package : *all) devices.push_back(package.device.value);
      return {};
    }};
    world.stores->writer().commit({}, {&one, 1});
    return devices;
  }
  static Json numbered(std::uint64_t serial) {
    return item_of(make_key_package(signer(), alice, {.serial = serial}).bare);
  }

  World world;
};

TEST_F(PublishKeyPackages, takes_the_device_the_request_names) {
  auto body = numbered(1);
  body["deviceId"] = "tablet";

  const auto response = world.post("publishKeyPackage", body);

  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(devices_of(alice), std::vector<std::string>{"tablet"});
}

TEST_F(PublishKeyPackages, lets_token_then_item_then_batch_name_the_device) {
  auto item = numbered(1);
  item["deviceId"] = "item";
  const Json batch{{"deviceId", "batch"}, {"keyPackages", {item, numbered(2)}}};
  const Json other{{"deviceId", "batch"}, {"keyPackages", {numbered(3)}}};

  world.post("publishKeyPackages", batch);
  world.post("publishKeyPackages", other, alice + "#token");

  EXPECT_EQ(devices_of(alice), (std::vector<std::string>{"batch", "item", "token"}));
}

TEST_F(PublishKeyPackages, refuses_a_device_that_is_no_text) {
  auto body = numbered(1);
  body["deviceId"] = 7;

  EXPECT_EQ(world.post("publishKeyPackage", body).status, 400);
  EXPECT_EQ(
      world.post("publishKeyPackages", {{"deviceId", 7}, {"keyPackages", {numbered(1)}}}).status,
      400);
}

TEST_F(PublishKeyPackages, judges_each_item_by_itself) {
  const Json batch{{"keyPackages", {numbered(1), item_of(Bytes{1}), numbered(1), numbered(2)}}};

  const auto response = world.post("publishKeyPackages", batch);

  const auto json = json_of(response);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(json["succeeded"], 3);
  EXPECT_EQ(json["failed"], 1);
  EXPECT_EQ(json["skipped"], 1);
  ASSERT_EQ(json["errors"].size(), 1U);
  EXPECT_EQ(json["errors"][0]["index"], 1);
  EXPECT_TRUE(json["errors"][0]["error"].get<std::string>().starts_with("InvalidKeyPackage: "));
}

TEST_F(PublishKeyPackages, bounds_the_batch) {
  Json batch{{"keyPackages", Json::array()}};
  EXPECT_EQ(error_of(world.post("publishKeyPackages", batch)), "InvalidRequest");

  for (int i = 0; i <= 100; ++i) batch["keyPackages"].push_back(Json::object());
  EXPECT_EQ(error_of(world.post("publishKeyPackages", batch)), "BatchTooLarge");
}

}  // namespace
}  // namespace catbird::xrpc
