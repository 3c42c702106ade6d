// SPDX-License-Identifier: MIT
#pragma once

#include "unit/xrpc/world.hpp"
#include "xrpc/streams/convo_feed.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

// What the tests of the event stream share: the connection's side of a stream, and a world in which
// bob listens.

namespace catbird::xrpc {

using Texts = std::vector<std::string>;

inline const std::string one = "aa01";
inline const std::string two = "aa02";

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
  /// Notices go to `news`.
  Texts events() {
    Texts out;
    for (const auto& json : jsons()) {
      if (json["type"] == "infoEvent" && json.contains("convoId")) {
        news.push_back(json["info"].get<std::string>() + " " + json["did"].get<std::string>());
      } else if (json["type"] == "infoEvent") {
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
  Texts news;  // what happened besides messages, as events() came by it: "what whom"
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

}  // namespace catbird::xrpc
