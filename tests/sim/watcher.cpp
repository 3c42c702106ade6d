// SPDX-License-Identifier: MIT
#include "sim/watcher.hpp"

#include "sim/node.hpp"
#include "xrpc/streams/cursor.hpp"

#include <utility>

namespace catbird::sim {

namespace {

constexpr std::chrono::milliseconds open_timeout{1'000};
constexpr std::uint64_t reconnect_ms_max = 100;
constexpr std::uint64_t slow_ms_max = 400;
constexpr std::string_view data_prefix = "data: ";
constexpr std::string_view event_end = "\n\n";

// Our own JSON, without escapes in the values looked for.
std::string field(const std::string& json, std::string_view name) {
  const auto key = "\"" + std::string(name) + "\":";
  const auto at = json.find(key);
  if (at == std::string::npos) return {};
  auto from = at + key.size();
  const bool quoted = json[from] == '"';
  if (quoted) ++from;
  const auto to = json.find_first_of(quoted ? "\"" : ",}", from);
  return json.substr(from, to - from);
}

}  // namespace

Watcher::Watcher(Outside& outside, Simulator::Lane& own, StreamCheck::Scope scope)
    : outside_(outside), sim_(outside.sim), own_(own), scope_(scope) {}

void Watcher::start() {
  own_.post([this] { connect(); });
}

std::string Watcher::describe() const {
  return "a watcher of user " + std::to_string(scope_.user) + " is at position " +
         std::to_string(check_ ? check_->last() : 0) + " of " +
         std::to_string(outside_.model.last_position());
}

// The stream of one conversation ends with the membership (A2).
bool Watcher::caught_up() const {
  if (scope_.only && !outside_.model.convo(*scope_.only).now().active(scope_.user)) {
    return !connected_;
  }
  return check_ && connected_ && check_->complete();
}

void Watcher::cut() {
  if (feed_) feed_->cancel();
  feed_.reset();
  reconnect();
}

void Watcher::reconnect() {
  ++connection_;
  connected_ = false;
  feed_.reset();
  own_.post_after(std::chrono::milliseconds(1 + sim_.pick(reconnect_ms_max)),
                  [this, connection = connection_] {
                    if (connection == connection_) connect();
                  });
}

void Watcher::connect() {
  auto* node = outside_.node();
  if (node == nullptr) return reconnect();
  const auto connection = ++connection_;
  if (!cursor_ && sim_.chance(50)) cursor_ = {node->incarnation(), 0};  // all of it
  check_.emplace(outside_.model, scope_, cursor_ ? std::optional(cursor_->position) : std::nullopt);
  ++outside_.totals[Count::stream_connections];
  auto only = scope_.only ? std::optional(convo_name(*scope_.only)) : std::nullopt;
  node->open_stream({user_did(scope_.user), std::move(only)}, cursor_,
                    [this, connection](std::shared_ptr<http::BodySource> feed) {
                      opened(connection, std::move(feed));
                    });
  own_.post_after(open_timeout, [this, connection] {
    if (connection == connection_ && !feed_) reconnect();
  });
}

// Still within the server; what follows is the client's.
void Watcher::opened(std::uint64_t connection, std::shared_ptr<http::BodySource> feed) {
  if (connection != connection_) return;
  feed_ = std::move(feed);
  check_->opened();
  own_.post([this, connection] {
    if (connection != connection_) return;
    if (feed_) return pull();
    reconnect();
  });
}

void Watcher::pull() {
  auto* node = outside_.node();
  if (node == nullptr || !feed_) return;
  node->connections().post([this, connection = connection_, feed = feed_] {
    feed->next([this, connection](http::BodySource::Chunk text) {
      own_.post([this, connection, text = std::move(text)]() mutable {
        chunk(connection, std::move(text));
      });
    });
  });
}

void Watcher::chunk(std::uint64_t connection, http::BodySource::Chunk text) {
  if (connection != connection_) return;
  if (!text) return reconnect();
  check_->connected();
  connected_ = true;
  std::size_t from = 0;
  for (auto end = text->find(event_end); end != std::string::npos;
       end = text->find(event_end, from)) {
    auto line = text->substr(from, end - from);
    from = end + event_end.size();
    if (line.starts_with(data_prefix)) event(line.substr(data_prefix.size()));
  }
  if (sim_.chance(outside_.swarm[Hazard::cut_stream])) return cut();
  if (sim_.chance(outside_.swarm[Hazard::slow_stream])) {
    own_.post_after(std::chrono::milliseconds(sim_.pick(slow_ms_max)), [this, connection] {
      if (connection == connection_) pull();
    });
    return;
  }
  pull();
}

void Watcher::event(const std::string& json) {
  const auto cursor = xrpc::decode_cursor(field(json, "cursor"));
  if (!cursor) {
    outside_.model.violate("L4: an event without a cursor");
    return;
  }
  if (field(json, "type") == "infoEvent") {
    const auto reason = field(json, "reason");
    if (reason == "slow-consumer") {
      ++outside_.totals[Count::slow_cuts];
    } else if (reason == "removed") {
      check_->removed();
    } else if (reason == "membershipChanged" || reason == "groupInfoRefreshRequested" ||
               reason == "readditionRequested") {
      // A notice has its own place in the log, behind what was shown.
      if (cursor_ && cursor->position <= cursor_->position) {
        outside_.model.violate("L2: a notice came out of order");
      }
      ++outside_.totals[Count::stream_notices];
      cursor_ = *cursor;
    } else {
      outside_.model.violate("L4: a cursor of ours was answered with " + reason);
    }
    return;
  }
  ++outside_.totals[Count::stream_events];
  const auto bytes = from_base64(field(json, "$bytes"));
  const StreamCheck::Event seen{.position = cursor->position,
                                .convo = convo_of(core::ConvoId(field(json, "convoId"))),
                                .seq = std::stoull(field(json, "seq")),
                                .epoch = std::stoull(field(json, "epoch")),
                                .kind = field(json, "messageType"),
                                .id = field(json, "id"),
                                .text = bytes ? text_of(*bytes) : std::string()};
  sim_.trace().mix(seen.position * 64 + scope_.user);
  if (sim_.trace().recording()) {
    sim_.trace().note(sim_.now(), seen.convo,
                      "stream of user " + std::to_string(scope_.user) + " shows row " +
                          std::to_string(seen.seq) + " at position " +
                          std::to_string(seen.position));
  }
  check_->event(seen);
  cursor_ = *cursor;
}

}  // namespace catbird::sim
