// SPDX-License-Identifier: MIT
#include "xrpc/streams/convo_feed.hpp"

#include "unit/xrpc/world.hpp"

#include <chrono>

namespace catbird::xrpc {
namespace {

using std::chrono::milliseconds;
using Texts = std::vector<std::string>;

const std::string one = "aa01";
const std::string two = "aa02";

/// The connection: pulls, and keeps what it got.
class Client {
 public:
  Client(World& world, std::shared_ptr<http::BodySource> source)
      : world_(world), source_(std::move(source)) {}
  ~Client() {
    if (source_) source_->cancel();  // as a connection does
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void pull() {
    if (waiting_ || ended) return;
    waiting_ = true;
    source_->next([this](http::BodySource::Chunk chunk) {
      ASSERT_TRUE(waiting_) << "answered twice";
      waiting_ = false;
      ++chunks;
      if (chunk) {
        text += *chunk;
      } else {
        ended = true;
      }
    });
  }
  /// Pulls until nothing more comes by itself.
  void drain() {
    do {
      pull();
      world_.run();
    } while (!waiting_ && !ended);
  }
  void cancel() {
    source_->cancel();
    source_.reset();
  }
  bool waits() const { return waiting_; }

  /// Ids of messages ("commit" for commits) and "!reason" of infos, in order; then forgets them.
  Texts events() {
    Texts out;
    for (const auto& json : jsons()) {
      if (json["type"] == "infoEvent") {
        out.push_back("!" + json["info"].get<std::string>());
      } else if (json["message"]["messageType"] == "commit") {
        out.emplace_back("commit");
      } else {
        out.push_back(json["message"]["id"]);
      }
      last_cursor = json["cursor"];
    }
    return out;
  }
  std::vector<Json> jsons() {
    std::vector<Json> out;
    std::size_t from = 0;
    for (auto end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n", from)) {
      const auto line = text.substr(from, end - from);
      from = end + 2;
      if (line.starts_with("data: ")) out.push_back(Json::parse(line.substr(6)));
    }
    text.erase(0, from);
    return out;
  }

  std::string text;
  std::string last_cursor;
  int chunks = 0;
  bool ended = false;

 private:
  World& world_;
  std::shared_ptr<http::BodySource> source_;
  bool waiting_ = false;
};

class ConvoFeedTest : public ::testing::Test {
 protected:
  explicit ConvoFeedTest(realtime::HubLimits limits = {}) : world({.hub = limits}) {
    world.create(one, {alice, bob});
    world.create(two, {alice});
    world.answer_access_from_store();
  }
  /// Bob's stream of everything, or of what `query` says.
  std::unique_ptr<Client> open(const std::string& query = "") {
    auto response = world.get("streamConvoEvents", query, bob);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.content_type, "text/event-stream");
    return std::make_unique<Client>(world, std::move(response.stream));
  }
  std::unique_ptr<Client> open_one(const std::string& more = "") {
    return open("convoId=" + one + more);
  }
  std::string cursor_at(std::uint64_t position) const {
    return "&cursor=" + encode_cursor({world.services.settings.incarnation, position});
  }
  /// The next write is stored, and nobody is told.
  void lose_the_next_answer() { world.disk.inject(storage::Fault::unknown_committed); }

  World world;
};

class SmallQueue : public ConvoFeedTest {
 protected:
  SmallQueue() : ConvoFeedTest({.queue_events_max = 3}) {}
};

TEST_F(ConvoFeedTest, starts_from_now_without_a_cursor) {
  world.message(one, "m1");
  auto client = open();
  client->drain();
  EXPECT_EQ(client->text, ": connected\n\n");

  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"m2"});
}

TEST_F(ConvoFeedTest, gives_each_row_all_the_lexicon_says) {
  auto client = open();
  client->drain();
  world.message(one, "m1");
  client->drain();

  const auto json = client->jsons().at(0);

  EXPECT_EQ(json["$type"], "blue.catbird.mls.streamConvoEvents#messageEvent");
  EXPECT_EQ(json["type"], "messageEvent");
  EXPECT_EQ(json["cursor"], cursor_at(1).substr(8));
  EXPECT_EQ(json["message"]["convoId"], one);
  EXPECT_EQ(json["message"]["seq"], 1);
  EXPECT_EQ(json["message"]["ciphertext"]["$bytes"], "AQID");
}

TEST_F(ConvoFeedTest, replays_after_the_cursor_and_goes_on_live_without_gap_or_duplicate) {
  for (const auto* id : {"m1", "m2", "m3"}) world.message(one, id);
  auto client = open_one(cursor_at(1));
  client->drain();
  world.message(one, "m4");
  world.add(one, carol);
  client->drain();
  world.message(one, "m5");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m2", "m3", "m4", "commit", "m5"}));
  EXPECT_EQ(decode_cursor(client->last_cursor)->position, 6U);
}

TEST_F(ConvoFeedTest, replays_more_than_one_page) {
  Texts sent;
  for (int i = 0; i < 450; ++i) {
    sent.push_back("m" + std::to_string(i));
    world.message(one, sent.back());
  }
  auto client = open(cursor_at(0).substr(1));

  client->drain();

  EXPECT_EQ(client->events(), sent);
}

TEST_F(ConvoFeedTest, loses_nothing_published_between_subscribing_and_replaying) {
  for (const bool user_wide : {false, true}) {
    auto client = user_wide ? open(cursor_at(0).substr(1)) : open_one(cursor_at(0));
    client->events();
    world.readers.held = true;
    client->pull();
    world.message(one, user_wide ? "m3" : "m1");
    world.readers.release();  // where the log ends now
    world.run();
    client->pull();
    world.message(one, user_wide ? "m4" : "m2");
    world.readers.held = false;
    world.readers.release();
    client->drain();

    EXPECT_EQ(client->events(), user_wide ? (Texts{"m1", "m2", "m3", "m4"}) : (Texts{"m1", "m2"}));
  }
}

TEST_F(ConvoFeedTest, keeps_commit_order_when_the_user_joins_during_the_replay) {
  world.message(one, "m1");
  auto client = open(cursor_at(0).substr(1));
  world.readers.held = true;
  client->pull();
  world.readers.release();
  world.run();
  client->pull();  // the replay waits for its reader
  world.add(two, bob);
  world.message(two, "x1");
  world.message(one, "m2");
  world.readers.held = false;
  world.readers.release();

  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m1", "x1", "m2"}));
}

TEST_F(ConvoFeedTest, shows_only_the_conversation_it_was_opened_for) {
  world.add(two, bob);
  auto client = open_one();
  client->drain();
  world.message(two, "x1");
  world.message(one, "m1");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"m1"});
}

TEST_F(ConvoFeedTest, brings_in_conversations_the_user_joins_without_what_was_before) {
  world.message(two, "x0");
  auto client = open(cursor_at(0).substr(1));
  client->drain();
  world.message(two, "x1");
  world.add(two, bob);
  world.message(two, "x2");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"x2"});
}

TEST_F(ConvoFeedTest, shows_nothing_from_before_the_join_in_a_replay) {
  world.message(two, "x0");
  world.add(two, bob);
  world.message(two, "x1");

  auto client = open(cursor_at(0).substr(1));
  client->drain();

  EXPECT_EQ(client->events(), Texts{"x1"});
}

TEST_F(ConvoFeedTest, ends_with_the_row_that_removes_the_reader) {
  auto client = open_one();
  client->drain();
  world.message(one, "m1");
  world.remove(one, bob);
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m1", "commit", "!removed"}));
  EXPECT_TRUE(client->ended);
}

TEST_F(ConvoFeedTest, goes_on_without_a_conversation_the_user_left) {
  world.add(two, bob);
  auto client = open();
  client->drain();
  world.remove(one, bob);
  world.message(one, "m1");
  world.message(two, "x1");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"commit", "x1"}));
  EXPECT_FALSE(client->ended);
}

TEST_F(ConvoFeedTest, cuts_a_replay_where_the_membership_ended) {
  auto client = open_one(cursor_at(0));
  world.message(one, "m1");
  world.remove(one, bob);
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"m1", "commit", "!removed"}));
  EXPECT_TRUE(client->ended);
}

TEST_F(ConvoFeedTest, follows_a_user_who_comes_back) {
  auto client = open();
  client->drain();
  world.remove(one, bob);
  world.message(one, "m1");
  world.add(one, bob);
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"commit", "m2"}));
}

TEST_F(SmallQueue, tells_a_slow_reader_and_cuts_it) {
  auto client = open_one();
  client->drain();
  for (const auto* id : {"m1", "m2", "m3", "m4", "m5"}) world.message(one, id);
  client->drain();

  EXPECT_EQ(client->events(), Texts{"!slow-consumer"});
  EXPECT_TRUE(client->ended);
}

TEST_F(SmallQueue, lets_the_slow_reader_go_on_from_where_it_was) {
  auto client = open_one();
  client->drain();
  world.message(one, "m1");
  client->drain();
  for (const auto* id : {"m2", "m3", "m4", "m5"}) world.message(one, id);
  client->drain();
  EXPECT_EQ(client->events(), (Texts{"m1", "!slow-consumer"}));

  auto again = open_one("&cursor=" + client->last_cursor);
  again->drain();

  EXPECT_EQ(again->events(), (Texts{"m2", "m3", "m4", "m5"}));
}

TEST_F(ConvoFeedTest, reads_the_store_again_when_an_answer_was_lost) {
  auto client = open_one();
  client->drain();
  lose_the_next_answer();
  world.message(one, "m1");
  client->drain();

  EXPECT_EQ(client->events(), Texts{"m1"});
}

TEST_F(ConvoFeedTest, keeps_the_order_of_rows_that_were_published_and_not) {
  for (const bool user_wide : {false, true}) {
    auto client = user_wide ? open() : open_one();
    client->drain();
    const std::string name = user_wide ? "w" : "m";
    world.message(one, name + "1");
    lose_the_next_answer();
    world.message(one, name + "2");
    world.message(one, name + "3");
    client->drain();
    world.message(one, name + "4");
    client->drain();

    EXPECT_EQ(client->events(), (Texts{name + "1", name + "2", name + "3", name + "4"}));
  }
}

TEST_F(ConvoFeedTest, shows_nothing_after_a_removal_whose_answer_was_lost) {
  world.add(two, bob);
  auto narrow = open_one();
  auto wide = open();
  narrow->drain();
  wide->drain();
  lose_the_next_answer();
  world.remove(one, bob);
  world.message(one, "m1");
  narrow->drain();
  wide->drain();
  world.message(one, "m2");
  world.message(two, "x1");
  narrow->drain();
  wide->drain();

  EXPECT_EQ(narrow->events(), (Texts{"commit", "!removed"}));
  EXPECT_TRUE(narrow->ended);
  EXPECT_EQ(wide->events(), (Texts{"commit", "x1"}));
}

TEST_F(ConvoFeedTest, brings_in_a_conversation_whose_join_was_never_published) {
  auto client = open();
  client->drain();
  lose_the_next_answer();
  world.add(two, bob);
  world.message(two, "x1");
  client->drain();
  world.message(two, "x2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"x1", "x2"}));
}

TEST_F(ConvoFeedTest, says_first_when_a_cursor_is_of_another_log) {
  world.message(one, "m1");
  auto client = open("cursor=" + encode_cursor({"other", 0}));
  client->drain();
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"!outdated-cursor", "m2"}));
}

TEST_F(ConvoFeedTest, says_first_when_a_cursor_is_from_the_future) {
  world.message(one, "m1");
  auto client = open(cursor_at(99).substr(1));
  client->drain();
  world.message(one, "m2");
  client->drain();

  EXPECT_EQ(client->events(), (Texts{"!future-cursor", "m2"}));
}

TEST_F(ConvoFeedTest, refuses_what_is_no_cursor_and_who_is_no_member) {
  EXPECT_EQ(error_of(world.get("streamConvoEvents", "cursor=x", bob)), "InvalidCursor");
  EXPECT_EQ(error_of(world.get("streamConvoEvents", "convoId=" + two, bob)), "NotMember");
  world.remove(one, bob);
  EXPECT_EQ(error_of(world.get("streamConvoEvents", "convoId=" + one, bob)), "NotMember");
  EXPECT_EQ(world.hub.subscriptions(), 0U);
}

TEST_F(ConvoFeedTest, has_a_bound_on_the_streams_of_a_user) {
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(open());

  EXPECT_EQ(world.get("streamConvoEvents", "", bob).status, 429);
  clients.pop_back();
  EXPECT_EQ(world.get("streamConvoEvents", "", bob).status, 200);
}

TEST_F(ConvoFeedTest, says_something_when_nothing_happens) {
  auto client = open();
  client->drain();
  client->text.clear();
  world.loop.advance(world.services.settings.stream_keepalive - milliseconds(1));
  EXPECT_EQ(client->text, "");

  world.loop.advance(milliseconds(1));

  EXPECT_EQ(client->text, ": keepalive\n\n");
  client->drain();
  world.loop.advance(world.services.settings.stream_keepalive);
  EXPECT_EQ(client->text, ": keepalive\n\n: keepalive\n\n");
}

TEST_F(ConvoFeedTest, is_silent_for_no_longer_than_two_keepalive_intervals) {
  auto client = open();
  client->drain();
  world.loop.advance(world.services.settings.stream_keepalive - milliseconds(1));
  world.message(one, "m1");
  client->drain();
  client->text.clear();

  world.loop.advance(2 * world.services.settings.stream_keepalive);

  EXPECT_EQ(client->text, ": keepalive\n\n");
}

TEST_F(ConvoFeedTest, has_one_timer_however_much_happens) {
  auto client = open();
  client->drain();
  for (int i = 0; i < 50; ++i) {
    world.message(one, "m" + std::to_string(i));
    client->drain();
  }

  EXPECT_EQ(world.loop.timers(), 1U);
}

TEST_F(ConvoFeedTest, ends_when_the_store_cannot_be_read) {
  auto client = open(cursor_at(0).substr(1));
  world.disk.on_read([] { return true; });
  client->drain();
  EXPECT_TRUE(client->ended);

  world.disk.on_read({});
  auto later = open_one(cursor_at(0));
  later->pull();
  world.disk.on_read([] { return true; });
  later->drain();
  EXPECT_TRUE(later->ended);
}

TEST_F(ConvoFeedTest, answers_nothing_after_it_was_cancelled_at_any_step) {
  for (int steps = 0; steps < 6; ++steps) {
    world.readers.held = false;
    auto client = open_one(cursor_at(0));
    world.readers.held = true;
    for (int step = 0; step < steps; ++step) {
      client->pull();
      if (step % 2 == 1) world.message(one, "m" + std::to_string(100 * steps + step));
      world.run();
      if (step != steps - 1) world.readers.release();
    }
    const auto chunks = client->chunks;

    client->cancel();
    world.readers.release();
    world.run();
    world.message(one, "last" + std::to_string(steps));
    world.hub.resync();
    world.run();
    world.readers.release();
    world.loop.advance(world.services.settings.stream_keepalive);

    EXPECT_EQ(client->chunks, chunks) << steps;
    EXPECT_EQ(world.hub.subscriptions(), 0U) << steps;
  }
}

}  // namespace
}  // namespace catbird::xrpc
