// SPDX-License-Identifier: MIT
#include "auth/service_auth.hpp"

#include "unit/auth/auth_world.hpp"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace catbird::auth {
namespace {

using test::Signer;

TEST(ServiceAuth, accepts_a_caller_that_signs_with_secp256k1) {
  World world;

  const auto answer = world.verify_fresh();

  ASSERT_EQ(told(answer), "ok");
  EXPECT_EQ(answer->did, alice);
  EXPECT_EQ(answer->device, "");
}

TEST(ServiceAuth, accepts_a_caller_that_signs_with_p256) {
  World world;
  world.signer = Signer::es256();
  world.directory.serve(alice, test::did_document(alice, world.signer->multikey()));

  EXPECT_EQ(told(world.verify_fresh()), "ok");
}

TEST(ServiceAuth, splits_the_device_from_the_did_and_asks_for_the_bare_dids_document) {
  World world;

  const auto answer = world.verify(world.claims(alice + "#phone-1.a_b~C"));

  ASSERT_EQ(told(answer), "ok");
  EXPECT_EQ(answer->did, alice);
  EXPECT_EQ(answer->device, "phone-1.a_b~C");
  ASSERT_EQ(world.directory.asked_count(), 1U);
  EXPECT_EQ(world.directory.asked()[0].first, Directory::plc_url(alice));
  EXPECT_TRUE(world.directory.asked()[0].second);
}

TEST(ServiceAuth, ignores_sub_and_acts_for_iss_only) {
  World world;

  const auto answer = world.verify(world.claims().text("sub", bob));

  ASSERT_EQ(told(answer), "ok");
  EXPECT_EQ(answer->did, alice);
}

TEST(ServiceAuth, takes_both_forms_of_its_own_name_and_no_other) {
  World world;
  const auto with_aud = [&](const std::string& json) {
    return told(world.verify(world.claims().raw("aud", json)));
  };

  EXPECT_EQ(with_aud("\"" + service + "\""), "ok");
  EXPECT_EQ(with_aud("\"" + service + "#atproto_mls\""), "ok");
  for (const auto& json : {"\"" + service + "#atproto\"", "\"" + service + "#\"",
                           "\"" + service + " \"", std::string("\"did:web:other.example.com\"")}) {
    EXPECT_EQ(with_aud(json), "401 aud does not name this server") << json;
  }
  for (const auto& json : {"[\"" + service + "\"]", std::string("null"), std::string("\"\"")}) {
    EXPECT_EQ(with_aud(json), "401 aud is missing or not a string") << json;
  }
}

TEST(ServiceAuth, takes_lxm_only_if_it_is_the_method_called) {
  World world;
  for (const char* lxm :
       {"blue.catbird.mls.sendmessage", "blue.catbird.mls", "*", "blue.catbird.mls.sendMessage2"}) {
    EXPECT_EQ(told(world.verify(world.claims().text("lxm", lxm))),
              "401 lxm does not match the method");
  }
  EXPECT_EQ(told(world.verify(world.claims().without("lxm"))), "401 lxm is missing");
}

TEST(ServiceAuth, holds_exp_iat_and_nbf_to_the_second) {
  World world;
  const std::int64_t now = world.clock.seconds();
  const auto times = [&](std::int64_t iat, std::int64_t exp) {
    return told(world.verify(world.claims().number("iat", iat).number("exp", exp)));
  };

  EXPECT_EQ(times(now, now + 300), "ok");
  EXPECT_EQ(times(now + 30, now + 330), "ok");
  EXPECT_EQ(times(now + 30, now - 29), "ok");
  EXPECT_EQ(times(now + 30, now - 30), "401 token has expired");
  EXPECT_EQ(times(now + 30, now + 331), "401 exp is too far in the future");
  EXPECT_EQ(times(now, now + 301), "401 token lives too long");
  EXPECT_EQ(times(now + 31, now + 60), "401 iat is in the future");
  EXPECT_EQ(told(world.verify(world.claims().number("nbf", now + 30))), "ok");
  EXPECT_EQ(told(world.verify(world.claims().number("nbf", now + 31))),
            "401 token is not valid yet");
}

TEST(ServiceAuth, requires_every_claim_it_decides_by) {
  World world;

  EXPECT_EQ(told(world.verify(world.claims().without("iss"))), "401 iss is missing");
  EXPECT_EQ(told(world.verify(world.claims().without("exp"))), "401 exp is missing");
  EXPECT_EQ(told(world.verify(world.claims().without("jti"))), "401 jti is missing");
  EXPECT_EQ(told(world.verify(world.claims().text("jti", ""))), "401 jti is missing");
  EXPECT_EQ(told(world.verify(world.claims().text("jti", std::string(256, 'j')))), "ok");
  EXPECT_EQ(told(world.verify(world.claims().text("jti", std::string(257, 'j')))),
            "401 jti is too long");
}

TEST(ServiceAuth, refuses_issuers_that_are_no_did) {
  World world;
  for (const auto& iss :
       {std::string("alice"), alice + "#", alice + "#a b", alice + "#a#b", alice + "/x",
        alice + "#" + std::string(129, 'd'), std::string("did:key:zQ3shokFTS3brHcDQrn82RUDf"),
        std::string("did:plc:short"), std::string("did:web:10.0.0.1")}) {
    EXPECT_EQ(told(world.verify(world.claims(iss))), "401 iss is not a did this server knows")
        << iss;
  }
  EXPECT_EQ(world.directory.asked_count(), 0U);
}

TEST(ServiceAuth, refuses_other_algorithms_and_critical_headers) {
  World world;
  const auto with_header = [&](const std::string& header) {
    return told(world.verify(test::sign_token(*world.signer, header, world.claims().json())));
  };

  for (const char* alg : {"none", "None", "NONE", "", "es256k", "ES256k", "ES384", "RS256", "EdDSA",
                          "HS384", "HS512", "PS256"}) {
    EXPECT_EQ(with_header(R"({"alg":")" + std::string(alg) + R"("})"), "401 alg is not accepted");
  }
  for (const char* header : {"{}", R"({"alg":["ES256K"]})", R"({"alg":null})", R"({"alg":1})"}) {
    EXPECT_EQ(with_header(header), "401 alg is missing") << header;
  }
  EXPECT_EQ(with_header(R"({"alg":"ES256K","alg":"none"})"), "401 token is ambiguous");
  EXPECT_EQ(with_header(R"({"alg":"ES256K","crit":["exp"]})"), "401 crit is not accepted");
  EXPECT_EQ(with_header(R"({"alg":"ES256K","crit":null})"), "401 crit is not accepted");
  EXPECT_EQ(with_header(R"({"alg":"ES256K","typ":"at+jwt"})"), "401 typ is not accepted");
  EXPECT_EQ(with_header(R"({"alg":"ES256K","typ":"dpop+jwt"})"), "401 typ is not accepted");
  EXPECT_EQ(with_header(R"({"alg":"ES256K"})"), "ok");
}

TEST(ServiceAuth, never_takes_a_key_from_the_token_itself) {
  World world;
  const auto mallory = Signer::es256k();
  const std::string document = test::did_document(alice, mallory->multikey());
  world.directory.serve_url("https://evil.example.com/did.json", {200, document});
  for (const std::string& extra :
       {std::string(R"("kid":"#other")"), std::string(R"("kid":"../../etc/passwd")"),
        std::string(R"("jku":"https://evil.example.com/did.json")"),
        std::string(R"("x5u":"https://evil.example.com/did.json")"), "\"jwk\":" + mallory->jwk()}) {
    const std::string header = R"({"alg":"ES256K",)" + extra + "}";

    EXPECT_EQ(told(world.verify(test::sign_token(*mallory, header, world.claims().json()))),
              "401 signature does not match");
    EXPECT_EQ(told(world.verify(test::sign_token(*world.signer, header, world.claims().json()))),
              "ok");
  }
  for (const auto& [url, operator_url] : world.directory.asked()) {
    EXPECT_EQ(url, Directory::plc_url(alice));
  }
}

TEST(ServiceAuth, refuses_a_signature_by_another_key_or_over_another_text) {
  World world;
  const std::string token = world.token(world.claims());
  const std::string other = world.token(world.claims());
  const std::string swapped = token.substr(0, token.rfind('.')) + other.substr(other.rfind('.'));

  EXPECT_EQ(told(world.verify(swapped)), "401 signature does not match");
  EXPECT_EQ(told(world.verify(World::token_of(*Signer::es256k(), world.claims()))),
            "401 signature does not match");
}

TEST(ServiceAuth, refuses_the_high_s_twin_of_a_good_signature_on_both_curves) {
  for (auto make : {&Signer::es256k, &Signer::es256}) {
    World world;
    world.signer = make();
    world.directory.serve(alice, test::did_document(alice, world.signer->multikey()));
    const std::string token = world.token(world.claims());
    const std::string text = token.substr(0, token.rfind('.'));
    const Bytes good = *from_base64url(token.substr(token.rfind('.') + 1));
    const Bytes twin = test::with_high_s(good, world.signer->order());

    EXPECT_EQ(told(world.verify(text + "." + to_base64url(twin))), "401 signature does not match");
    EXPECT_EQ(told(world.verify(token)), "ok");
  }
}

TEST(ServiceAuth, refuses_an_algorithm_that_is_not_the_keys_own) {
  World world;
  const auto p256 = Signer::es256();
  const std::string header = R"({"alg":"ES256"})";

  EXPECT_EQ(told(world.verify(test::sign_token(*world.signer, header, world.claims().json()))),
            "401 signature does not match");
  EXPECT_EQ(told(world.verify(test::sign_token(*p256, header, world.claims().json()))),
            "401 signature does not match");
}

TEST(ServiceAuth, takes_a_shared_secret_only_in_development_and_only_a_long_one) {
  World world;
  const auto mint = [&](std::string_view with) {
    static int serial = 0;
    return mint_dev_token(with, alice, service, method, world.clock.now(), std::chrono::seconds(60),
                          "dev-" + std::to_string(++serial));
  };
  world.options.jwt_secret = secret;
  EXPECT_EQ(told(world.verify(mint(secret))), "401 alg is not accepted");

  world.options.development = true;
  world.open();
  EXPECT_EQ(told(world.verify(mint(secret))), "ok");
  EXPECT_EQ(told(world.verify(mint(secret + "x"))), "401 signature does not match");

  world.options.jwt_secret = secret.substr(1);
  world.open();
  EXPECT_EQ(told(world.verify(mint(secret.substr(1)))), "401 alg is not accepted");
}

TEST(ServiceAuth, never_uses_a_public_key_as_a_secret_or_a_secret_for_a_signature) {
  World world;
  world.options.development = true;
  world.options.jwt_secret = secret;
  const auto forge = [&](std::string_view with) {
    return mint_dev_token(with, alice, service, method, world.clock.now(), std::chrono::seconds(60),
                          "forged");
  };

  EXPECT_EQ(told(world.verify(forge(world.signer->multikey()))), "401 signature does not match");
  EXPECT_EQ(told(world.verify(forge(text_of(world.signer->compressed_point())))),
            "401 signature does not match");
  EXPECT_EQ(told(world.verify(
                test::sign_token(*world.signer, R"({"alg":"HS256"})", world.claims().json()))),
            "401 signature does not match");
}

TEST(ServiceAuth, reads_back_any_text_a_development_token_carries) {
  World world;
  world.options.development = true;
  world.options.jwt_secret = secret;
  const auto token = mint_dev_token(secret, alice + "#d", service, method, world.clock.now(),
                                    std::chrono::seconds(60), "quote \" slash \\ line \n end");

  EXPECT_EQ(told(world.verify(token)), "ok");
  EXPECT_EQ(told(world.verify(token)), "401 token was used before");
}

TEST(ServiceAuth, wants_a_bearer_token_in_the_header) {
  World world;
  world.open();
  const auto with = [&](const std::string& authorization) {
    Result<Identity> answer = fail(Errc::internal, "no answer");
    world.auth->verify(authorization, method, [&](Result<Identity> got) { answer = got; });
    return told(answer);
  };

  EXPECT_EQ(with(""), "401 authorization header is missing");
  EXPECT_EQ(with("Basic YTpi"), "401 authorization is not a bearer token");
  EXPECT_EQ(with("Bearer"), "401 authorization is not a bearer token");
  EXPECT_EQ(with("Bearer "), "401 token is malformed");
  EXPECT_EQ(with("bearer " + world.token(world.claims())), "ok");
  EXPECT_EQ(with("Bearer  " + world.token(world.claims())), "401 token is malformed");
}

TEST(ServiceAuth, takes_a_token_once) {
  World world;
  const std::string token = world.token(world.claims());

  EXPECT_EQ(told(world.verify(token)), "ok");
  EXPECT_EQ(told(world.verify(token)), "401 token was used before");
  world.clock.advance(89);
  EXPECT_EQ(told(world.verify(token)), "401 token was used before");
  world.clock.advance(1);
  EXPECT_EQ(told(world.verify(token)), "401 token has expired");
}

TEST(ServiceAuth, knows_a_token_by_issuer_and_jti_not_by_its_bytes) {
  World world;
  world.directory.serve(bob, test::did_document(bob, world.signer->multikey()));
  EXPECT_EQ(told(world.verify(world.claims().text("jti", "same"))), "ok");

  EXPECT_EQ(told(world.verify(world.claims().text("jti", "same").text("extra", "x"))),
            "401 token was used before");
  EXPECT_EQ(told(world.verify(world.claims(bob).text("jti", "same"))), "ok");
}

TEST(ServiceAuth, lets_a_refused_token_leave_no_trace) {
  World world;
  const Claims claims = world.claims();
  const std::string forged = World::token_of(*Signer::es256k(), claims);
  EXPECT_EQ(told(world.verify(forged)), "401 signature does not match");

  EXPECT_EQ(told(world.verify(claims)), "ok");
}

TEST(ServiceAuth, accepts_a_token_once_from_eight_threads) {
  World world;
  world.open();
  for (int round = 0; round < 20; ++round) {
    const std::string token = world.token(world.claims());
    std::atomic<int> accepted{0};
    std::atomic<int> refused{0};
    std::vector<std::jthread> threads;
    threads.reserve(8);
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        world.auth->verify("Bearer " + token, method,
                           [&](Result<Identity> got) { ++(got ? accepted : refused); });
      });
    }
    threads.clear();

    EXPECT_EQ(accepted, 1);
    EXPECT_EQ(refused, 7);
  }
}

TEST(ServiceAuth, tells_a_caller_to_come_again_where_a_token_may_be_from_before) {
  World world;
  const std::int64_t now = world.clock.seconds();
  const std::string before = world.token(world.claims().number("iat", now - 1));
  const std::string undated = world.token(world.claims().without("iat"));
  const std::string refused = "503 before: token was issued before this server started";

  EXPECT_EQ(told(world.verify(before)), refused);
  EXPECT_EQ(told(world.verify(undated)), refused);
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  world.clock.advance(269);
  EXPECT_EQ(told(world.verify(world.claims().without("iat"))), refused);
  world.clock.advance(1);
  EXPECT_EQ(told(world.verify(world.claims().without("iat"))), "ok");
}

TEST(ServiceAuth, tells_no_did_and_no_token_in_any_refusal) {
  World world;
  world.options.development = true;
  const std::string iss = "did:web:canary.invalid";
  for (const auto& claims :
       {world.claims(iss), world.claims(iss).text("aud", "canary"),
        world.claims(iss).text("lxm", "canary"), world.claims("canary"),
        world.claims(iss).number("exp", 1), world.claims(iss).raw("iat", "\"canary\"")}) {
    const auto answer = world.verify(claims);

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().detail.find("canary"), std::string::npos);
    EXPECT_EQ(answer.error().detail.find("did:"), std::string::npos);
  }
}

TEST(ServiceAuth, needs_a_name_of_its_own_outside_development) {
  World world;
  for (const char* did : {"", "mls.example.com", "did:web:mls.example.com#atproto_mls"}) {
    world.options.service_did = did;
    EXPECT_FALSE(ServiceAuth::open(world.options, world.clock, world.directory.fetch())) << did;
  }
  world.options.service_did = "";
  world.options.development = true;
  EXPECT_TRUE(ServiceAuth::open(world.options, world.clock, world.directory.fetch()));
}

TEST(ServiceAuth, accepts_no_mutation_of_a_good_token) {
  World world;
  std::mt19937 random(20261125);
  const std::string alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n{}\"";
  const std::string good = world.token(world.claims());
  for (int i = 0; i < 4'000; ++i) {
    std::string token = good;
    const std::size_t at = random() % token.size();
    switch (random() % 4) {
      case 0:
        token[at] = alphabet[random() % alphabet.size()];
        break;
      case 1:
        token.erase(at, 1 + random() % 8);
        break;
      case 2:
        token.insert(at, 1, static_cast<char>(random()));
        break;
      default:
        token.insert(at, token.substr(random() % token.size(), random() % 64));
    }
    if (token == good) continue;

    const auto answer = world.verify(token);
    ASSERT_FALSE(answer) << token;
    EXPECT_EQ(answer.error().code, Errc::unauthenticated);
  }
  EXPECT_EQ(told(world.verify(good)), "ok");
}

}  // namespace
}  // namespace catbird::auth
