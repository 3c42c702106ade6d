// SPDX-License-Identifier: MIT
// What expires leaves a mark, and nothing else changes (DECISIONS 25; reliability O3, P2, K3).
#include "contract/storage/fixture.hpp"
#include "core/key_window.hpp"
#include "core/limits.hpp"

#include <gmock/gmock.h>

namespace catbird::storage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int steps_max = 50;  // far more than any of these needs
constexpr Timestamp much_later{start.value + 1000 * day_ms};
const core::DeviceId phone{"phone"};

class Retention : public StorageContract {
 protected:
  /// Through the store's own cleaner, or as a job of the lane where there is none.
  template <class T>
  Result<T> clean(const std::function<Result<T>(Cleaner&)>& work) {
    auto own = stores().open_cleaner();
    EXPECT_TRUE(own);
    if (*own) return work(**own);
    return run<T>([&](UserWriter& users) { return work(*users.cleaner()); });
  }
  std::uint64_t expire(Timestamp before) {
    std::uint64_t bodies = 0;
    std::optional<RowHandle> next = 0;
    for (int steps = 0; next; ++steps) {
      if (steps == steps_max) {
        ADD_FAILURE() << "it goes on for ever";
        return bodies;
      }
      auto step = clean<Cleaner::Expired>(
          [&](Cleaner& cleaner) { return cleaner.expire_messages(before, *next); });
      if (!step) {
        ADD_FAILURE() << step.error().detail;
        return bodies;
      }
      EXPECT_LE(step->bodies, clean_rows_max);
      bodies += step->bodies;
      next = step->next;
    }
    return bodies;
  }
  Result<std::uint64_t> rows_of(Result<std::uint64_t> (Cleaner::*drop)(Timestamp), Timestamp at) {
    return clean<std::uint64_t>([&](Cleaner& cleaner) { return (cleaner.*drop)(at); });
  }
  core::Event row_at(Script& convo, core::Kind kind, const std::string& id, Timestamp at) {
    auto event = convo.row(kind, id);
    std::get<core::RowAppended>(event).at = at;
    return event;
  }
  void message_at(Script& convo, const std::string& id, Timestamp at) {
    write(convo, convo.set({row_at(convo, core::Kind::app, id, at)}));
  }
  Page page(const Script& convo, std::uint64_t after = 0, std::size_t rows_max = 100) {
    auto page = reader().page({.convo = convo.id,
                               .after = core::Seq(after),
                               .until = core::Seq(UINT64_MAX),
                               .rows_max = rows_max,
                               .bytes_max = 0});
    EXPECT_TRUE(page) << page.error().detail;
    return page ? *page : Page{};
  }
};

TEST_P(Retention, old_messages_lose_their_bytes_and_the_mark_says_so) {
  Script convo("c1");
  write(convo, convo.create());
  message_at(convo, "m1", start);
  message_at(convo, "m2", after(minute_ms));
  message_at(convo, "m3", after(2 * minute_ms));

  EXPECT_EQ(expire(after(2 * minute_ms)), 2U);

  const auto left = page(convo);
  EXPECT_THAT(ids(left.rows), ElementsAre("m3"));
  EXPECT_EQ(left.first_seq, core::Seq(3));
  EXPECT_EQ(page(convo, 1).rows.size(), 1U);
  EXPECT_EQ(page(convo, 3).rows.size(), 0U);
  // The log still tells that there was something, and where it stood.
  const auto log = *reader().log({{convo.id}, 0, 10, 0});
  ASSERT_EQ(log.size(), 3U);
  EXPECT_TRUE(log[0].expired());
  EXPECT_EQ(log[1].id, core::MsgId("m2"));
  EXPECT_FALSE(log[2].expired());
  EXPECT_EQ(expire(after(2 * minute_ms)), 0U);
}

TEST_P(Retention, commits_stay_and_pages_lead_over_the_expired_ones) {
  Script convo("c1");
  write(convo, convo.create());
  for (int i = 0; i < 4; ++i) {
    const auto n = std::to_string(i);
    message_at(convo, "m" + n, start);
    write(convo, convo.commit("k" + n));
  }
  message_at(convo, "young", after(day_ms));

  EXPECT_EQ(expire(after(day_ms)), 4U);

  EXPECT_THAT(ids(page(convo).rows), ElementsAre("k0", "k1", "k2", "k3", "young"));
  EXPECT_THAT(ids(page(convo, 0, 2).rows), ElementsAre("k0", "k1"));
  EXPECT_THAT(ids(page(convo, 4, 2).rows), ElementsAre("k2", "k3"));
  EXPECT_THAT(ids(page(convo, 8, 2).rows), ElementsAre("young"));
  EXPECT_EQ(page(convo).first_seq, core::Seq(9));
  EXPECT_EQ(reader()
                .commits({convo.id, core::Epoch(1), core::Epoch(9), core::Seq(0),
                          core::Seq(UINT64_MAX), 0})
                ->size(),
            4U);
}

TEST_P(Retention, a_page_ends_at_its_bytes_among_the_commits_too) {
  Script convo("c1");
  write(convo, convo.create());
  for (int i = 0; i < 3; ++i) {
    write(convo, convo.set({convo.row(core::Kind::commit, "k" + std::to_string(i), alice,
                                      std::string(100, 'c'))}));
  }
  message_at(convo, "old", start);
  message_at(convo, "young", after(day_ms));
  expire(after(day_ms));

  auto small = reader().page({convo.id, core::Seq(0), core::Seq(UINT64_MAX), 0, 250});

  ASSERT_TRUE(small);
  EXPECT_THAT(ids(small->rows), ElementsAre("k0", "k1"));  // never on to "young" over the third
}

TEST_P(Retention, writing_goes_on_where_it_was) {
  Script convo("c1");
  write(convo, convo.create());
  message_at(convo, "m1", start);
  expire(much_later);
  EXPECT_THAT(page(convo).rows, IsEmpty());
  EXPECT_EQ(page(convo).first_seq, core::Seq(2));

  write(convo, convo.message("m2"));
  write(convo, convo.commit("k1"));
  reopen();

  EXPECT_THAT(ids(page(convo).rows), ElementsAre("m2", "k1"));
  EXPECT_EQ(reader().load(convo.id)->state.last_seq, core::Seq(3));
  EXPECT_EQ(page(convo).first_seq, core::Seq(2));
}

TEST_P(Retention, an_expired_message_id_is_still_taken_and_still_known) {
  Script convo("c1");
  write(convo, convo.create());
  message_at(convo, "m1", start);
  expire(much_later);

  const auto again = commit({convo.message("m1")}).sets.at(0);
  const auto known = reader().find_key(convo.id, core::KeyWindow::message_key(core::MsgId("m1")));

  EXPECT_EQ(again.status, CommitStatus::rejected);
  ASSERT_TRUE(known && *known);
  EXPECT_EQ((*known)->outcome.seq, core::Seq(1));
  EXPECT_EQ(reader().seq_of(convo.id, core::MsgId("m1")), core::Seq(1));
}

TEST_P(Retention, expired_messages_are_not_unread) {
  Script convo("c1");
  write(convo, convo.create());
  message_at(convo, "m1", start);
  message_at(convo, "m2", after(day_ms));
  const ConvoQuery query{bob, {}, 0, 0, [](const auto&) { return tag_of(bob); }};
  EXPECT_EQ(reader().convos(query)->convos.at(0).unread, 2U);

  expire(after(day_ms));

  EXPECT_EQ(reader().convos(query)->convos.at(0).unread, 1U);
}

TEST_P(Retention, a_long_history_goes_in_steps_and_conversations_apart) {
  Script one("c1");
  Script other("c2");
  write(one, one.create());
  write(other, other.create());
  constexpr std::uint64_t count = clean_rows_max + 20;
  for (std::uint64_t i = 0; i < count; ++i) {
    message_at(one, "m" + std::to_string(i), start);
    message_at(other, "n" + std::to_string(i), i < 3 ? start : after(day_ms));
  }

  EXPECT_EQ(expire(after(day_ms)), count + 3);

  EXPECT_THAT(page(one).rows, IsEmpty());
  EXPECT_EQ(page(one).first_seq, core::Seq(count + 1));
  EXPECT_EQ(page(other).first_seq, core::Seq(4));
  EXPECT_EQ(page(other, 0, 1000).rows.size(), count - 3);
}

TEST_P(Retention, kept_answers_go_when_their_time_is_over) {
  Script convo("c1");
  const core::RequestKey old{"leaveConvo", "old", {}};
  const core::RequestKey young{"leaveConvo", "young", {}};
  write(convo, convo.create());
  write(convo, convo.set({core::RequestRecorded{alice, old, {{}, {}, start, ""}}}));
  write(convo, convo.set({core::RequestRecorded{alice, young, {{}, {}, after(day_ms), ""}}}));

  EXPECT_EQ(rows_of(&Cleaner::forget_requests, after(day_ms)), 1U);

  const auto name = [](const auto& key) { return core::KeyWindow::request_key(alice, key); };
  EXPECT_EQ(*reader().find_key(convo.id, name(old)), std::nullopt);
  EXPECT_TRUE(reader().find_key(convo.id, name(young))->has_value());
  EXPECT_EQ(reader().load_keys(convo.id, 9)->keys.size(), 1U);
  // The name is free: the same key again is a new request.
  write(convo, convo.set({core::RequestRecorded{alice, old, {{}, {}, after(day_ms), ""}}}));
  EXPECT_TRUE(reader().find_key(convo.id, name(old))->has_value());
}

TEST_P(Retention, welcomes_go_when_nobody_may_read_them) {
  Script convo("c1");
  write(convo, convo.create());
  auto welcome = [&](const std::string& id, const std::string& body, Timestamp at) {
    write(convo, convo.commit(
                     id, {core::WelcomeStored{{blob(body), {{bob, phone, {}}}}, convo.epoch, at}}));
  };
  welcome("k1", "first", start);
  welcome("k2", "second", after(day_ms));

  ASSERT_TRUE(rows_of(&Cleaner::drop_welcomes, after(day_ms)));

  const auto left = *reader().welcome(convo.id, {bob, phone}, after(day_ms));
  ASSERT_TRUE(left);
  EXPECT_EQ(text(left->bytes), "second");
  ASSERT_TRUE(rows_of(&Cleaner::drop_welcomes, much_later));
  EXPECT_EQ(*reader().welcome(convo.id, {bob, phone}, after(day_ms)), std::nullopt);
  EXPECT_EQ(rows_of(&Cleaner::drop_welcomes, much_later), 0U);
}

TEST_P(Retention, expired_key_packages_go_and_consumed_ones_are_remembered) {
  auto publish = [&](const std::string& name, Timestamp not_after) {
    const NewKeyPackage package{id32("ref " + name), id32("hash " + name),           1, false,
                                not_after,           Bytes(name.begin(), name.end())};
    return *run<PublishResult>(
        [&](UserWriter& users) { return users.publish({bob, phone}, package, start); });
  };
  publish("used", after(day_ms));
  publish("old", after(day_ms));
  publish("young", after(9 * day_ms));
  const ReserveQuery query{alice, bob, {}, 1, start};
  ASSERT_TRUE(run<std::vector<ReservedKeyPackage>>(
      [&](UserWriter& users) { return users.reserve(query); }));
  Script convo("c1");
  write(convo, convo.create());
  write(convo, convo.commit("k1", {core::KeyPackagesConsumed{alice, {id32("ref used")}, start}}));

  EXPECT_EQ(rows_of(&Cleaner::drop_key_packages, after(day_ms)), 1U);

  EXPECT_EQ(publish("used", after(9 * day_ms)), PublishResult::duplicate);
  EXPECT_EQ(publish("young", after(9 * day_ms)), PublishResult::duplicate);
  EXPECT_EQ(publish("old", after(9 * day_ms)), PublishResult::stored);
  EXPECT_EQ(reader().find_key_packages({id32("ref old")}, start)->size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Backend, Retention, testing::ValuesIn(all_backends()), case_name);

}  // namespace
}  // namespace catbird::storage
