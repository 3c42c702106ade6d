// SPDX-License-Identifier: MIT
#pragma once

#include "http/message.hpp"
#include "sim/wire.hpp"
#include "xrpc/streams/cursor.hpp"

#include <memory>
#include <optional>
#include <string>

namespace catbird::sim {

/// One reader of streamConvoEvents: keeps the cursor of the last event, comes back with it after
/// every break, and is sometimes slow (L3). What it gets is checked event by event.
class Watcher {
 public:
  Watcher(Outside& outside, Simulator::Lane& own, StreamCheck::Scope scope);

  void start();
  /// The process is about to die, or the connection breaks: nothing of the stream is left.
  void cut();
  /// Everything that is due has come.
  bool caught_up() const;
  std::string describe() const;

 private:
  void connect();
  void opened(std::uint64_t connection, std::shared_ptr<http::BodySource> feed);
  void pull();
  void chunk(std::uint64_t connection, http::BodySource::Chunk text);
  void event(const std::string& json);
  void reconnect();

  Outside& outside_;
  Simulator& sim_;
  Simulator::Lane& own_;
  const StreamCheck::Scope scope_;
  std::uint64_t connection_ = 0;
  bool connected_ = false;
  std::shared_ptr<http::BodySource> feed_;
  std::optional<StreamCheck> check_;
  std::optional<xrpc::StreamCursor> cursor_;
};

}  // namespace catbird::sim
