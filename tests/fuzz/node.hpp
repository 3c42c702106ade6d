// SPDX-License-Identifier: MIT
#pragma once

#include "actors/actor_gateway.hpp"
#include "storage/memory/memory_store.hpp"
#include "support/manual_executor.hpp"
#include "xrpc/router.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace catbird::fuzz {

/// Takes "did" or "did#device" for the caller: tokens have fuzzers of their own.
class NamedAuth final : public auth::ServiceAuth {
 public:
  void verify(std::string authorization, std::string nsid,
              std::move_only_function<void(Result<auth::Identity>)> done) override;
};

/// Everyone blocks alice since a moment ago: looked up now it is so, in what is kept it is not.
class RecentBlocks final : public social::Blocks {
 public:
  void of(const std::string& did, social::Age age, Done done) override;
};

class SetClock final : public Clock {
 public:
  Timestamp now() const override { return time; }
  Timestamp time{1'700'000'001'234};
};

/// A whole server but for sockets and tokens, on one thread and on time that only the caller moves:
/// the router, its handlers, actors, lane and hub on a memory disk. The same requests give the same
/// answers. Aborts if a request is answered twice or never.
class Node {
 public:
  /// `actors`: ENABLE_ACTOR_SYSTEM.
  explicit Node(storage::MemoryDisk& disk, bool actors = true);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// `path` below /xrpc/blue.catbird.mls. and, for GET, its query behind a '?'.
  http::Response get(std::string_view path, std::string_view caller);
  http::Response post(std::string_view path, std::string_view body, std::string_view caller);
  http::Response send(http::Request request);
  /// Up to `chunks_max` chunks of a streamed answer, while it has any; then its client goes away.
  std::string read_stream(http::BodySource& stream, std::size_t chunks_max);
  /// Runs everything that is ready.
  void settle() { test::drain({&*worker_, &*lane_thread_, &*reads_}); }
  /// One passivation pass over the actors, if there are any.
  void sweep();

  storage::MemoryDisk& disk() { return disk_; }
  storage::Reader& reader() { return *reader_; }
  xrpc::Services& services() { return *services_; }
  SetClock clock;
  test::ManualTime time;

 private:
  storage::MemoryDisk& disk_;
  std::unique_ptr<storage::Stores> stores_;
  std::unique_ptr<storage::Reader> reader_;
  // What waits in them refers to everything below: emptied first, in the destructor.
  std::optional<test::ManualExecutor> worker_, lane_thread_, reads_;
  realtime::Hub hub_;
  test::ManualReaders readers_;
  actors::CommitLane lane_;
  actors::ActorMetrics actor_metrics_;
  std::unique_ptr<actors::Engine> engine_;
  std::unique_ptr<actors::Gateway> gateway_;
  actors::ActorGateway* actors_ = nullptr;  // the gateway, unless it is the direct one
  NamedAuth auth_;
  xrpc::SenderTags tags_;
  xrpc::TokenSeal seal_;
  xrpc::RateLimiter limiter_;
  RecentBlocks blocks_;
  std::unique_ptr<xrpc::Services> services_;
  xrpc::Readiness readiness_;
  std::unique_ptr<xrpc::Router> router_;
};

/// What must hold of an answer, whatever was asked: a status below 500 (501 is an answer too), JSON
/// that can be read, and an error of the XRPC form if it is one.
void check_answer(const http::Response& response);

/// What must hold of the store at every quiet point, whatever was asked: O1-O5, U1, U2, A3, A4,
/// K1 and K3 of the reliability rules, and that the actors know what the store knows.
void check_store(Node& node);

}  // namespace catbird::fuzz
