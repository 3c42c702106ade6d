// SPDX-License-Identifier: MIT
// P1 and DECISIONS 2: a known key answers before membership and before the epoch.
#include "core/limits.hpp"
#include "unit/core/world.hpp"

#include <string>

namespace catbird::core {
namespace {

TEST(Retries, answer_a_message_as_before_and_change_nothing) {
  auto convo = with_members({bob});
  const auto first = accept(convo, message(bob, "m1"));

  const auto again = convo.decide(message(bob, "m1"), later);

  ASSERT_TRUE(again);
  EXPECT_EQ(again->outcome, first);
  EXPECT_TRUE(again->events.empty());
}

TEST(Retries, win_over_the_epoch_check) {
  auto convo = with_members({bob});
  const auto first = accept(convo, message(bob, "m1"));
  accept(convo, commit(alice, 0));

  EXPECT_EQ(accept(convo, message(bob, "m1"), later), first);
  EXPECT_EQ(refusal(convo, message(bob, "m2")).code, Errc::epoch_mismatch);
}

TEST(Retries, win_over_membership) {
  auto convo = with_members({bob});
  const auto sent = accept(convo, message(bob, "m1"));
  const auto updated = accept(convo, keyed(commit(bob, 0), "k1"));
  accept(convo, take_out(alice, {bob}, with_commit(1)));

  EXPECT_EQ(accept(convo, message(bob, "m1"), later), sent);
  EXPECT_EQ(accept(convo, keyed(commit(bob, 0), "k1"), later), updated);
  EXPECT_EQ(refusal(convo, message(bob, "m2")).code, Errc::not_member);
}

TEST(Retries, of_every_keyed_method_get_the_whole_first_answer) {
  auto convo = with_members({bob, carol});
  const auto added = accept(convo, keyed(add(alice, {dave}, with_commit(0)), "a"));
  const auto removed = accept(convo, keyed(take_out(alice, {dave}, with_commit(1)), "r"));
  const auto left = accept(convo, keyed(leave(carol, carol), "l"));
  const auto joined = accept(convo, keyed(command(bob, ExternalCommit{with_commit(2)}), "e"));
  accept(convo, commit(alice, 3));

  EXPECT_EQ(accept(convo, keyed(add(alice, {dave}, with_commit(0)), "a"), later), added);
  EXPECT_EQ(accept(convo, keyed(take_out(alice, {dave}, with_commit(1)), "r"), later), removed);
  EXPECT_EQ(accept(convo, keyed(leave(carol, carol), "l"), later), left);
  EXPECT_EQ(accept(convo, keyed(command(bob, ExternalCommit{with_commit(2)}), "e"), later), joined);
  EXPECT_EQ(convo.epoch(), Epoch(4));
  EXPECT_EQ(convo.last_seq(), Seq(4));
}

TEST(Retries, with_another_payload_are_a_conflict) {
  auto convo = with_members({bob});
  accept(convo, keyed(commit(alice, 0), "k", 1));

  EXPECT_EQ(refusal(convo, keyed(commit(alice, 1), "k", 2)).code, Errc::conflict);
}

TEST(Retries, of_a_message_under_a_known_key_get_the_stored_answer_whatever_the_payload) {
  auto convo = with_members({bob});
  const auto first = accept(convo, keyed(message(bob, "m1"), "k", 1));

  EXPECT_EQ(accept(convo, keyed(message(bob, "m2"), "k", 2), later), first);
  EXPECT_EQ(first.detail, "m1");  // which msgId the answer is about
  EXPECT_EQ(convo.last_seq(), Seq(1));
}

TEST(Retries, belong_to_one_user_and_one_method) {
  auto convo = with_members({bob});
  accept(convo, keyed(commit(alice, 0), "k"));
  auto other_method = keyed(commit(alice, 1), "k", 9);
  other_method.key->method = "other";

  EXPECT_EQ(accept(convo, other_method).seq, Seq(2));
  EXPECT_EQ(accept(convo, keyed(commit(bob, 2), "k", 9)).seq, Seq(3));
}

TEST(Retries, with_anothers_message_id_show_nothing_stored) {
  auto convo = with_members({bob});
  accept(convo, message(bob, "m1"));

  const auto error = refusal(convo, message(alice, "m1"));

  EXPECT_EQ(error.code, Errc::conflict);
  EXPECT_FALSE(error.clash.has_value());
  EXPECT_EQ(error.detail.find("1,700"), std::string::npos);
  EXPECT_EQ(refusal(convo, message(dave, "m1")).code, Errc::not_member);  // a stranger stays one
}

TEST(Retries, of_a_refused_command_are_decided_anew) {
  auto convo = with_members({bob});
  EXPECT_EQ(refusal(convo, keyed(message(bob, "m1", 1), "k")).code, Errc::epoch_mismatch);
  accept(convo, commit(alice, 0));

  EXPECT_EQ(accept(convo, keyed(message(bob, "m1", 1), "k")).seq, Seq(2));
}

TEST(Retries, of_a_message_without_its_request_key_still_find_it_by_id) {
  auto convo = with_members({bob});
  const auto first = accept(convo, keyed(message(bob, "m1"), "k"));

  // By id the answer has no detail: it names the request's own msgId.
  EXPECT_EQ(accept(convo, message(bob, "m1"), later).seq, first.seq);
  EXPECT_EQ(accept(convo, message(bob, "m1"), later).at, first.at);
  EXPECT_EQ(accept(convo, keyed(message(bob, "m1"), "another"), later).seq, first.seq);
}

TEST(Retries, of_a_message_by_its_request_key_name_the_first_message) {
  auto convo = with_members({bob});
  const auto first = accept(convo, keyed(message(bob, "m1"), "k"));

  const auto again = accept(convo, keyed(message(bob, "m2"), "k"), later);

  EXPECT_EQ(again, first);
  EXPECT_EQ(again.detail, "m1");
}

TEST(Keys, of_a_message_are_its_id_and_its_request_key) {
  EXPECT_EQ(Conversation::keys_of(message(bob, "m1")).size(), 1U);
  EXPECT_EQ(Conversation::keys_of(keyed(message(bob, "m1"), "k")).size(), 2U);
  EXPECT_EQ(Conversation::keys_of(keyed(commit(bob, 0), "k")).size(), 1U);
  EXPECT_FALSE(Conversation::is_keyed(commit(bob, 0)));
  EXPECT_TRUE(Conversation::is_keyed(message(bob, "m1")));
}

KnownKey key_number(std::size_t number) {
  return {.key = "m" + std::to_string(number), .payload = {}, .tag = {}, .outcome = {}};
}

TEST(KeyWindow, keeps_the_newest_and_says_when_it_no_longer_has_all) {
  KeyWindow window;
  for (std::size_t i = 0; i < key_window_max; ++i) window.add(key_number(i));
  EXPECT_TRUE(window.complete());
  EXPECT_NE(window.find("m0"), nullptr);

  window.add(key_number(key_window_max));

  EXPECT_EQ(window.size(), key_window_max);
  EXPECT_FALSE(window.complete());
  EXPECT_EQ(window.find("m0"), nullptr);
  EXPECT_NE(window.find("m1"), nullptr);
  EXPECT_NE(window.find("m" + std::to_string(key_window_max)), nullptr);
}

TEST(KeyWindow, keeps_the_first_answer_of_a_key) {
  KeyWindow window;
  auto first = key_number(1);
  first.outcome.seq = Seq(1);
  auto second = key_number(1);
  second.outcome.seq = Seq(2);

  window.add(first);
  window.add(second);

  EXPECT_EQ(window.find("m1")->outcome.seq, Seq(1));
  EXPECT_EQ(window.size(), 1U);
}

TEST(KeyWindow, is_incomplete_once_cleared_or_told_so) {
  KeyWindow cleared;
  cleared.add(key_number(1));
  cleared.clear();
  KeyWindow told;
  told.set_incomplete();

  EXPECT_EQ(cleared.size(), 0U);
  EXPECT_FALSE(cleared.complete());
  EXPECT_FALSE(told.complete());
}

TEST(KeyWindow, does_not_mix_up_users_methods_and_keys) {
  const auto name = [](const char* user, const char* method, const char* key) {
    return KeyWindow::request_key(Did(user), RequestKey{method, key, {}});
  };

  EXPECT_NE(name("a", "bc", "d"), name("ab", "c", "d"));
  EXPECT_NE(name("a", "b", "cd"), name("a", "bc", "d"));
  EXPECT_NE(KeyWindow::message_key(MsgId("x")), name("x", "", ""));
}

TEST(Conversation, forgets_the_oldest_message_ids_and_says_so) {
  auto convo = with_members({bob});
  for (std::size_t i = 0; i <= key_window_max; ++i) {
    accept(convo, message(bob, "m" + std::to_string(i)));
  }

  EXPECT_FALSE(convo.keys().complete());
  EXPECT_EQ(accept(convo, message(bob, "m1")).seq, Seq(2));
  // The store knows m0: its constraint, not this window, refuses it (DECISIONS 1).
  EXPECT_FALSE(convo.decide(message(bob, "m0"), start)->events.empty());
}

}  // namespace
}  // namespace catbird::core
