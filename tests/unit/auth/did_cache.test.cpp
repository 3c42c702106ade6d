// SPDX-License-Identifier: MIT
#include "auth/did_cache.hpp"

#include "auth/limits.hpp"
#include "unit/auth/auth_world.hpp"

#include <gtest/gtest.h>

// Seen through ServiceAuth, as callers see it; the last cases look at the cache alone.

namespace catbird::auth {
namespace {

using test::Signer;

std::string did_number(std::size_t number) {
  std::string id(24, 'a');
  for (std::size_t i = id.size(); number > 0; number /= 26) {
    id[--i] = static_cast<char>('a' + number % 26);
  }
  return "did:plc:" + id;
}

/// Gives alice a new key; the old one still signs through `world.signer`.
std::unique_ptr<Signer> rotate(World& world) {
  auto next = Signer::es256();
  world.directory.serve(alice, test::did_document(alice, next->multikey()));
  return next;
}

TEST(DidCache, asks_once_for_many_requests_of_one_caller) {
  World world;
  for (int i = 0; i < 50; ++i) EXPECT_EQ(told(world.verify_fresh()), "ok");

  EXPECT_EQ(world.directory.asked_count(), 1U);
}

TEST(DidCache, takes_a_rotated_key_on_first_use_by_one_forced_refresh) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  const auto next = rotate(world);

  EXPECT_EQ(told(world.verify(World::token_of(*next, world.claims()))), "ok");
  EXPECT_EQ(world.directory.asked_count(), 2U);
  EXPECT_EQ(told(world.verify_fresh()), "401 signature does not match");
  EXPECT_EQ(world.directory.asked_count(), 2U);
}

TEST(DidCache, refuses_an_old_key_after_five_minutes_at_the_latest) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  rotate(world);
  world.clock.advance(239);
  EXPECT_EQ(told(world.verify_fresh()), "ok");

  world.clock.advance(61);
  EXPECT_EQ(told(world.verify_fresh()), "401 signature does not match");
}

TEST(DidCache, counts_a_keys_age_from_when_it_was_asked_for) {
  World world;
  world.open();
  world.directory.hold();
  EXPECT_EQ(told(world.verify_fresh()), "unexpected: no answer");
  world.clock.advance(50);
  world.directory.release();
  rotate(world);

  world.clock.advance(250);
  EXPECT_EQ(told(world.verify_fresh()), "401 signature does not match");
}

TEST(DidCache, refreshes_in_the_background_before_a_key_grows_old) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  world.clock.advance(240);
  world.directory.hold();

  EXPECT_EQ(told(world.verify_fresh()), "ok");
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  EXPECT_EQ(world.directory.asked_count(), 2U);

  world.directory.release();
  world.clock.advance(200);
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  EXPECT_EQ(world.directory.asked_count(), 2U);
}

TEST(DidCache, forces_one_refresh_per_did_in_thirty_seconds) {
  World world;
  const auto mallory = Signer::es256k();
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(told(world.verify(World::token_of(*mallory, world.claims()))),
              "401 signature does not match");
  }
  EXPECT_EQ(world.directory.asked_count(), 2U);

  world.clock.advance(30);
  world.verify(World::token_of(*mallory, world.claims()));
  EXPECT_EQ(world.directory.asked_count(), 3U);
}

TEST(DidCache, forces_fifty_refreshes_a_second_over_all) {
  World world;
  const auto mallory = Signer::es256k();
  constexpr std::size_t dids = 80;
  for (std::size_t i = 0; i < dids; ++i) {
    const std::string did = did_number(i);
    world.directory.serve(did, test::did_document(did, world.signer->multikey()));
    EXPECT_EQ(told(world.verify(world.claims(did))), "ok");
  }
  for (std::size_t i = 0; i < dids; ++i) {
    world.verify(World::token_of(*mallory, world.claims(did_number(i))));
  }
  EXPECT_EQ(world.directory.asked_count(), dids + forced_refreshes_per_second_max);

  world.clock.advance(1);
  world.verify(World::token_of(*mallory, world.claims(did_number(dids - 1))));
  EXPECT_EQ(world.directory.asked_count(), dids + forced_refreshes_per_second_max + 1);
}

TEST(DidCache, has_one_fetch_per_did_under_way_and_answers_all_who_wait) {
  World world;
  world.open();
  world.directory.hold();
  int accepted = 0;
  for (int i = 0; i < 10; ++i) {
    world.auth->verify("Bearer " + world.token(world.claims()), method,
                       [&](Result<Identity> got) { accepted += got ? 1 : 0; });
  }
  EXPECT_EQ(world.directory.asked_count(), 1U);
  EXPECT_EQ(accepted, 0);

  world.directory.release();
  EXPECT_EQ(accepted, 10);
}

TEST(DidCache, bounds_those_who_wait_for_one_document) {
  World world;
  world.open();
  world.directory.hold();
  for (std::size_t i = 0; i < waiters_per_flight_max; ++i) {
    world.auth->verify("Bearer " + world.token(world.claims()), method, [](Result<Identity>) {});
  }
  EXPECT_EQ(told(world.verify_fresh()), "503 busy: too many requests wait for one did document");
  world.directory.release();
  EXPECT_EQ(told(world.verify_fresh()), "ok");
}

TEST(DidCache, bounds_the_fetches_under_way) {
  World world;
  world.open();
  world.directory.hold();
  for (std::size_t i = 0; i < flights_max; ++i) {
    world.verify(world.claims(did_number(i + 1)));
  }
  EXPECT_EQ(told(world.verify(world.claims(bob))),
            "503 busy: too many did look-ups at the same time");
  EXPECT_EQ(world.directory.asked_count(), flights_max);
  world.directory.release();
}

TEST(DidCache, remembers_for_a_while_that_there_is_no_such_document) {
  World world;
  EXPECT_EQ(told(world.verify(world.claims(bob))), "401 did document does not exist");
  EXPECT_EQ(told(world.verify(world.claims(bob))), "401 did document does not exist");
  EXPECT_EQ(world.directory.asked_count(), 1U);

  world.directory.serve(bob, test::did_document(bob, world.signer->multikey()));
  world.clock.advance(30);
  EXPECT_EQ(told(world.verify(world.claims(bob))), "ok");
}

TEST(DidCache, says_503_and_never_401_while_the_directory_is_down) {
  World world;
  const std::string no_answer = "503 did directory does not answer";
  world.directory.go_down();
  EXPECT_EQ(told(world.verify_fresh()), no_answer);
  world.directory.come_back();
  EXPECT_EQ(told(world.verify_fresh()), no_answer);
  EXPECT_EQ(world.directory.asked_count(), 1U);

  world.clock.advance(5);
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  for (const int status : {500, 502, 429, 302, 403}) {
    world.directory.serve_url(Directory::plc_url(did_number(static_cast<std::size_t>(status))),
                              {status, "{}"});
    EXPECT_EQ(told(world.verify(world.claims(did_number(static_cast<std::size_t>(status))))),
              no_answer);
  }
}

TEST(DidCache, says_503_for_a_directory_that_answers_garbage) {
  World world;
  for (const std::string& body :
       {std::string(), std::string("<html>"), std::string("{"), std::string("[]"),
        std::string("\"x\""), std::string(document_bytes_max + 1, ' ')}) {
    world.directory.serve(bob, body);
    const auto answer = world.verify(world.claims(bob));

    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::storage_unavailable);
    world.clock.advance(30);
  }
}

TEST(DidCache, serves_known_callers_through_an_hour_without_directory) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  world.directory.go_down();
  for (int minute = 1; minute < 60; ++minute) {
    world.clock.advance(60);
    EXPECT_EQ(told(world.verify_fresh()), "ok") << minute;
  }
  EXPECT_LE(world.directory.asked_count(), 70U);

  world.clock.advance(60);
  EXPECT_EQ(told(world.verify_fresh()), "503 did directory does not answer");
}

TEST(DidCache, does_not_call_a_signature_bad_that_only_a_stale_key_refuses) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  const auto next = rotate(world);
  world.directory.go_down();
  const std::string no_answer = "503 did directory does not answer";

  EXPECT_EQ(told(world.verify(World::token_of(*next, world.claims()))), no_answer);
  world.clock.advance(400);
  EXPECT_EQ(told(world.verify(World::token_of(*next, world.claims()))), no_answer);
  EXPECT_EQ(told(world.verify(World::token_of(*next, world.claims()))), no_answer);
}

TEST(DidCache, forgets_a_key_whose_document_is_gone) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  world.directory.serve_url(Directory::plc_url(alice), {410, "{}"});
  world.clock.advance(300);

  EXPECT_EQ(told(world.verify_fresh()), "401 did document does not exist");
}

TEST(DidCache, probes_a_dead_directory_once_a_second) {
  World world;
  world.directory.go_down();
  for (std::size_t i = 1; i < 100; ++i) world.verify(world.claims(did_number(i)));
  EXPECT_EQ(world.directory.asked_count(), static_cast<std::size_t>(breaker_failures));

  world.clock.advance(1);
  for (std::size_t i = 100; i < 200; ++i) world.verify(world.claims(did_number(i)));
  EXPECT_EQ(world.directory.asked_count(), static_cast<std::size_t>(breaker_failures) + 1);

  world.directory.come_back();
  world.clock.advance(1);
  EXPECT_EQ(told(world.verify(world.claims(did_number(300)))), "401 did document does not exist");
  EXPECT_EQ(told(world.verify_fresh()), "ok");
}

TEST(DidCache, lets_nobody_wait_who_is_known_while_the_directory_is_silent) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  world.clock.advance(290);
  world.directory.go_down();
  EXPECT_EQ(told(world.verify_fresh()), "ok");  // its background refresh fails
  world.directory.hold();
  world.clock.advance(20);

  EXPECT_EQ(told(world.verify_fresh()), "ok");
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  EXPECT_EQ(world.directory.asked_count(), 3U);
  world.directory.release();
}

TEST(DidCache, passes_on_that_the_fetcher_is_full_and_tries_again_at_once) {
  World world;
  world.directory.go_down(Errc::overloaded);
  EXPECT_EQ(told(world.verify_fresh()), "503 busy: too many did look-ups at the same time");
  world.directory.come_back();

  EXPECT_EQ(told(world.verify_fresh()), "ok");
}

TEST(DidCache, keeps_at_most_the_documents_it_may) {
  World world;
  world.options.documents_max = 2;
  for (std::size_t i = 1; i <= 3; ++i) {
    const std::string did = did_number(i);
    world.directory.serve(did, test::did_document(did, world.signer->multikey()));
    EXPECT_EQ(told(world.verify(world.claims(did))), "ok");
  }
  EXPECT_EQ(told(world.verify(world.claims(did_number(3)))), "ok");
  EXPECT_EQ(world.directory.asked_count(), 3U);
  EXPECT_EQ(told(world.verify(world.claims(did_number(1)))), "ok");
  EXPECT_EQ(world.directory.asked_count(), 4U);
}

TEST(DidCache, survives_a_clock_that_is_set_back) {
  World world;
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  world.clock.advance(-3600);
  world.open();
  EXPECT_EQ(told(world.verify_fresh()), "ok");
  world.clock.advance(-3600);
  rotate(world);

  // An age below zero says nothing, so the document is asked for again.
  EXPECT_EQ(told(world.verify_fresh()), "401 signature does not match");
}

TEST(DidCache, drops_an_answer_that_comes_after_its_end) {
  World world;
  world.open();
  world.directory.hold();
  EXPECT_EQ(told(world.verify_fresh()), "unexpected: no answer");
  world.auth.reset();

  world.directory.release();
  EXPECT_EQ(world.directory.asked_count(), 1U);
}

TEST(DidCache, ignores_a_second_answer_to_one_fetch) {
  ManualClock clock;
  AuthOptions options;
  const auto signer = Signer::es256k();
  const auto cache = std::make_shared<DidCache>(
      options, clock,
      [&](std::string, bool, std::move_only_function<void(Result<DidFetchReply>)> done) {
        done(DidFetchReply{200, test::did_document(alice, signer->multikey())});
        done(DidFetchReply{404, {}});
      });
  int answers = 0;
  cache->find(alice, [&](Result<KeyAnswer> answer) { answers += answer ? 1 : 100; });
  cache->find(alice, [&](Result<KeyAnswer> answer) { answers += answer ? 1 : 100; });

  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace catbird::auth
